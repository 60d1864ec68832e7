"""Trains one BatchTopK sparse autoencoder; the runner puts it in the place of experiment.py."""

from saes import BatchTopKSAE as SAE
from saes import run

if __name__ == "__main__":
    run(SAE, lr="lr_batchtopk", aux="aux_batchtopk")
