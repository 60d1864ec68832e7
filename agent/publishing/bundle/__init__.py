"""One archive to hand over: without keys, and the same bytes each time."""
