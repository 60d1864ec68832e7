"""The commands behind launch.py."""
