"""The launch path: the story of one start, and the few effects that it needs."""
