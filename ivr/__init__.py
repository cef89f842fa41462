"""A call from ring to settlement: the only room that knows Asterisk."""
