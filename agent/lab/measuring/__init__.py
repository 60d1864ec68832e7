"""From one training to its metrics: train, harvest, encode twice, decode, evaluate."""
