"""Trains one standard (ReLU, L1) sparse autoencoder; the runner puts it in the place of experiment.py."""

from saes import StandardSAE as SAE
from saes import run

if __name__ == "__main__":
    run(SAE, lr="lr_l1")
