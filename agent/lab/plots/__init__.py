"""Pictures that agent code drew: how plot.py is run, and what is believed of its figures."""
