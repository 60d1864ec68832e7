"""Sparse autoencoders: six architectures, one training loop. It lies beside experiment.py, which may import it.

    from saes import BatchTopKSAE as SAE, run      # a whole experiment: reads task.json, trains, saves
    if __name__ == "__main__":
        run(SAE)

    sae = TopKSAE(d_in, d_sae, l0=8, aux_scale=1 / 32)      # or the parts of it
    train(sae, batches(rows, batch=512, steps=2000), Recipe(steps=2000, lr=3e-3, dead_after=200_000), log=path)
    sae.save(path); TopKSAE.load(path).encode(x)

Architectures: StandardSAE (L1), GatedSAE, TopKSAE, BatchTopKSAE, JumpReLUSAE, MatryoshkaSAE. Each is a torch module
with W_enc [d_in, d_sae], W_dec [d_sae, d_in] (unit rows), b_enc [d_sae], b_dec [d_in] and these methods:
    encode(x)        [B, d_in] -> [B, d_sae], the form used at inference: a function of each row alone
    decode(z)        z @ W_dec + b_dec
    loss(x, step)    what is minimised on a batch, and which latents fired; step: progress 0..1 and dead latents
    after_step(...)  after each optimizer step: unit decoder rows, thresholds, sparsity weights
Learning rates suit rows whose typical latents are of size 1 to 10: scale other data first.
To change an architecture, subclass it and override `loss` or `encode`; names that start without "_" may be relied on.
Helpers: top_k, top_k_of_batch, decode_sparse, decode_tiers (fast sparse decoding), aux_k, resample_dead, adam;
open_rows(task): the training rows, scaled where they come from a language model; .first(n), .batches(batch, steps).
A loss over few latents is fast on a CPU if it touches the chosen ones alone:
    centred, acts = self.look(x)                          # x - b_dec, and all pre-activations, without gradients
    chosen = Chosen.of_rows(top_k(acts, k)[1], d_sae)     # or Chosen.of_places(places in the flattened batch, d_sae)
    values = self.picked(acts, centred, chosen).relu()    # [n] with gradients; chosen.rows, chosen.latents say whose
    residual = centred - decode_rows(values, chosen, self.W_dec, len(x))
With the setting hook_name_out, `run` trains a transcoder: the loss gets y, and pre_acts and look read its x.
After training on x / scale, sae.rescale(scale) makes it an SAE of x; `run` does both.
"""

from saes.base import SAE, Loss, Step
from saes.optim import adam
from saes.rows import batches, open_rows
from saes.sparse import Chosen, aux_k, decode_rows, decode_sparse, decode_tiers, fired, top_k, top_k_of_batch
from saes.steered import GatedSAE, JumpReLUSAE, StandardSAE
from saes.topk import BatchTopKSAE, MatryoshkaSAE, TopKSAE
from saes.training import Recipe, resample_dead, run, train

__all__ = [
    "SAE",
    "BatchTopKSAE",
    "Chosen",
    "GatedSAE",
    "JumpReLUSAE",
    "Loss",
    "MatryoshkaSAE",
    "Recipe",
    "StandardSAE",
    "Step",
    "TopKSAE",
    "adam",
    "aux_k",
    "batches",
    "decode_rows",
    "decode_sparse",
    "decode_tiers",
    "fired",
    "open_rows",
    "resample_dead",
    "run",
    "top_k",
    "top_k_of_batch",
    "train",
]
