"""What staff do from a terminal with accounts, tariffs, calls and money."""
