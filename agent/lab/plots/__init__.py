"""Figures that the agent's plot.py drew: whether they show the records, are legible, and may enter the paper."""
