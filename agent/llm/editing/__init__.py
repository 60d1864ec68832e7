"""Turns a model's answer into changes of files, through aider, and lints the result."""
