"""What is asked of a caller, as pure step machines."""
