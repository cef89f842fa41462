"""The prices in effect, held in memory by every process that rates."""
