"""Wrong entries, counted across calls."""
