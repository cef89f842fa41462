"""How far the number of a line is trusted, and what it may open."""
