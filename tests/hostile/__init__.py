"""Attacks on the product by its real paths: `python -m tests.hostile` prints what stopped each."""
