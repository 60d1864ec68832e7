"""Protected parts of the template: corpora, models, shards, probes, metrics. Only the runner imports them."""
