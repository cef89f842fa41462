"""Minutes a line has used and is using, against its caps."""
