"""Charging sessions: initiate, update, terminate, as in RFC 8506."""
