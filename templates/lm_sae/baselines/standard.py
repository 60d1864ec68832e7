"""Trains one standard (L1) sparse autoencoder; the runner puts it in the place of experiment.py.

Adam is constrained (unit decoder rows, no gradient along them), dead latents are resampled four times before the rate
decays, and the L1 weight is steered to the condition's l0.
"""

from saes import StandardSAE as SAE
from saes import run

if __name__ == "__main__":
    run(SAE, lr="lr_l1", resamplings=4)
