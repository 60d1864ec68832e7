"""Published autoencoders, which others trained: read from their files, and measured like an artefact of a run."""
