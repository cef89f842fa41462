"""The manager interface: the client, and what is on the line now."""
