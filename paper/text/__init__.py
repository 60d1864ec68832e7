"""Markdown sections as trees of sentences."""
