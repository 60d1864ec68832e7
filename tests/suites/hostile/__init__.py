"""Attacks on the product by its real paths: `python -m tests.suites.hostile` prints what stopped each."""
