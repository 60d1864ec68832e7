"""Asks language models. Every answer is on disk before it is used."""
