"""Autoencoders that others trained: read from each published layout, and measured as an artefact is."""
