"""Kills, full disks and restarts at every durable effect of a whole small session; `python -m tests.suites.faults`."""
