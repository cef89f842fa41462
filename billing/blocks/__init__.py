"""What the subscriber of a line does about toll calls himself, and the report of blocked lines."""
