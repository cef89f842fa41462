"""Blocks from a file and to a file."""
