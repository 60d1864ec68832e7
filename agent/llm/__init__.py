"""Language models. Every answer is on disk before anybody acts on it."""
