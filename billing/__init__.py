"""Whose money is it, what does a call cost, and what is left."""
