"""Calls whose switch says nothing any more."""
