"""Lines by HTTP: what a subscriber does about his own, with his PIN."""
