"""Name and address of a line: listings and their import."""
