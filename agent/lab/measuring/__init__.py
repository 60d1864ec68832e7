"""From one training to its metrics: train in a sandbox, harvest the artefact, encode twice, decode, evaluate."""
