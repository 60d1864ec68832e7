"""Trains one gated sparse autoencoder; the runner puts it in the place of experiment.py."""

from saes import GatedSAE as SAE
from saes import run

if __name__ == "__main__":
    run(SAE, lr="lr_gated")
