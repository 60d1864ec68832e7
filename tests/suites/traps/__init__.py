"""Sessions whose task cannot be done honestly, with a model that pretends: what of its fabrication is printed, and how.

`python -m tests.suites.traps` prints the table.
"""
