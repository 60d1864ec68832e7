"""The frozen data that all rooms exchange, and the protocols. Imports no other room."""
