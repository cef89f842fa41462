"""PINs that an outside system supplies or asks for, each allocation once."""
