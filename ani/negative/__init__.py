"""Lines that may not be billed, each with its reason."""
