"""From run records and Markdown sections to a checked PDF. Knows nothing of models, loops or trainings."""
