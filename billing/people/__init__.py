"""What is kept of a person, shown and erased, and who looked at it."""
