"""Planted cheats and honest oddities, run through the real pipeline. `python -m tests.redteam` prints the table."""
