"""The ways in: the command line and Python. The one place where parts are joined; nothing imports it."""
