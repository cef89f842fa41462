"""Bringing what is kept of secrets under the newest key."""
