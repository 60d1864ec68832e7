"""Malformed replies through every action that reads one, and mutated sections through the renderer."""
