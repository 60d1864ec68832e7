"""Makes one archive of a session to hand over, without keys and with the same bytes each time."""
