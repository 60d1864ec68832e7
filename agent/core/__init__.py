"""The frozen data that everybody speaks, and the protocols. Imports nothing of ours."""
