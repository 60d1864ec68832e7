"""Planted cheats and honest oddities, run through the real pipeline.

`python -m tests.suites.redteam` prints the table.
"""
