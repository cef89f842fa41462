"""What is sealed of the persons of a line."""
