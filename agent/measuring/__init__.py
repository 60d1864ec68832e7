"""From a finished training to metrics: harvest, encode, decode, evaluate."""
