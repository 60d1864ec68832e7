"""Trains one TopK sparse autoencoder on cached activations of a language model.

Called as `python experiment.py --out_dir=run_i`. `run` reads task.json (one seed, one condition), trains on the shards
of its hook, and leaves in out_dir: the artefact, log.jsonl (a line every few steps) and diagnostics.json (numbers of
your own: flat, name -> number; what `report` returns goes there). The runner then loads `SAE` from this file and
measures it on held-out data; nothing that is written here counts as a result.
"""

import torch
from saes import Chosen, Loss, Step, TopKSAE, decode_rows, fired, run, top_k


class SAE(TopKSAE):
    """x ~ z @ W_dec + b_dec, where z holds the l0 largest latents of a row. Change it, or leave saes altogether."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """[B, d_in] -> [B, d_sae]. Used for measuring; each row must depend on that row alone."""
        acts = self.pre_acts(x).relu()
        values, latents = top_k(acts, self.k)
        return torch.zeros_like(acts).scatter_(1, latents, values)

    def loss(self, x: torch.Tensor, step: Step) -> Loss:
        """Reconstruction error, plus AuxK: dead latents learn what is left. Also says which latents fired.

        `look` gives all pre-activations without gradients, to choose from; those of the chosen flow through `picked`.
        """
        d_sae = len(self.W_dec)
        centred, acts = self.look(x)  # x - b_dec, and [B, d_sae]
        chosen = Chosen.of_rows(top_k(acts, self.k)[1], d_sae)
        values = self.picked(acts, centred, chosen).relu()  # [B * l0], in the order of rows
        residual = centred - decode_rows(values, chosen, self.W_dec, len(x))
        error = residual.square().sum(1).mean()
        total = error + self.auxiliary(x, acts, residual, step)
        return Loss(total, error, fired(values, chosen.latents, d_sae), (values > 0).sum() / len(x))


if __name__ == "__main__":
    run(SAE)
