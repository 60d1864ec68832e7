"""Trains one Matryoshka sparse autoencoder; the runner puts it in the place of experiment.py."""

from saes import MatryoshkaSAE as SAE
from saes import run

if __name__ == "__main__":
    run(SAE, lr="lr_matryoshka", aux="aux_matryoshka")
