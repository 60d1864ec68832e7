"""Exchanges with language models, recorded and played back."""
