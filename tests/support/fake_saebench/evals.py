"""Replaces sae-bench's evaluations behind the real channel and proxy. The setting `does` names a method of Bench."""

import os
import sys
import time

import numpy as np

NAMES = {
    "model_performance_preservation": ["ce_loss_score"],
    "model_behavior_preservation": ["kl_div_score"],
    "reconstruction_quality": ["explained_variance_legacy", "cossim"],
    "shrinkage": ["relative_reconstruction_bias"],
    "sparsity": ["l0"],
    "misc_metrics": ["frac_alive"],
}


class Bench:
    def __init__(self, request, channel):
        self._request, self._channel = request, channel

    def run(self, name, settings):
        return getattr(self, settings.get("does", "measure"))(settings)

    def measure(self, settings):
        """The l0 of rows sent in batches of seven, by the proxy; everything else is 0.5."""
        import torch
        from proxy import ProxySAE

        arrays = np.load(self._request["decoder"])
        sae = ProxySAE(arrays["decoder"], arrays["bias"], None, self._channel, "cpu")
        rows = torch.from_numpy(np.random.default_rng(3).normal(size=(settings.get("batches", 3), 7, 8))).float()
        latents = torch.stack([sae.encode(batch) for batch in rows])
        assert "experiment" not in sys.modules and not any("experiment" in name for name in os.listdir())
        found = {category: dict.fromkeys(keys, 0.5) for category, keys in NAMES.items()}
        found["sparsity"]["l0"] = (latents != 0).sum(-1).float().mean().item()
        found["shrinkage"]["relative_reconstruction_bias"] = (latents @ sae.W_dec).square().sum().item()
        return found

    def environment(self, settings):
        return {"names": sorted(os.environ), "cwd": sorted(os.listdir())}

    def judge(self, settings):
        asked = [{"role": "system", "content": "s"}, {"role": "user", "content": "the latent's texts"}]
        return {"said": self._channel.judge(asked)}

    def fail(self, settings):
        raise ValueError("the hub cannot be reached")

    def die(self, settings):
        print("the last words", file=sys.stderr, flush=True)
        os._exit(7)

    def hang(self, settings):
        self._channel.send({"eval": "pid", "metrics": {"pid": os.getpid()}})
        with open(settings.get("pid", os.devnull), "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)
