"""The HTTP side: what other services and, later, browsers reach."""
