"""Protected parts of the template: corpora, models, shards, concepts, metrics. Run by the runner alone."""
