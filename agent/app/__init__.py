"""The entry points: the command line, and run and resume for Python. It joins all rooms; no room imports it."""
