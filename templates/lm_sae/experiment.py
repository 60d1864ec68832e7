"""Trains one TopK sparse autoencoder on cached activations of a language model.

Called as `python experiment.py --out_dir=run_i`. `run` reads task.json (one seed, one condition), trains on the shards
of its hook, and leaves in out_dir: the artefact, log.jsonl (a line every few steps) and diagnostics.json (numbers of
your own: flat, name -> number; what `report` returns goes there). The runner then loads `SAE` from this file and
measures it on held-out data; nothing that is written here counts as a result.
"""

import torch
from saes import Loss, Step, TopKSAE, aux_k, decode_sparse, run, top_k

AUX_SCALE = 1 / 32  # weight of AuxK


class SAE(TopKSAE):
    """x ~ z @ W_dec + b_dec, where z holds the l0 largest latents of a row. Change it, or leave saes altogether."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """[B, d_in] -> [B, d_sae]. Used for measuring; each row must depend on that row alone."""
        acts = self.pre_acts(x).relu()
        values, latents = top_k(acts, self.k)
        return torch.zeros_like(acts).scatter_(1, latents, values)

    def loss(self, x: torch.Tensor, step: Step) -> Loss:
        """Reconstruction error, plus AuxK: dead latents learn what is left. Also says which latents fired."""
        acts = self.pre_acts(x).relu()
        values, latents = top_k(acts, self.k)
        residual = x - decode_sparse(values, latents, self.W_dec) - self.b_dec
        error = residual.square().sum(1).mean()
        total = error
        if step.dead is not None:
            total = error + AUX_SCALE * aux_k(acts, residual, step.dead, self.W_dec)
        fired = torch.zeros(len(self.W_dec), dtype=torch.bool, device=x.device)
        fired[latents[values > 0]] = True
        return Loss(total, error, fired, (values > 0).sum() / len(x))


if __name__ == "__main__":
    run(SAE)
