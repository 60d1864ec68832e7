"""How long a TopK step takes beside what no step can do without: the encoder's product and the choice of latents."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch

from agent.lab.machine import device_in_words
from tests.suites.bench.markdown import markdown
from tests.support import ROOT

SIZES = ((256, 512, 8, 512), (512, 2048, 16, 1024), (512, 8192, 32, 1024), (768, 16384, 32, 1024))
SECONDS = 8.0  # of each size


def table(threads: int) -> str:
    """Both take turns, so that what else the machine does hits them alike; medians of each."""
    torch.set_num_threads(threads)
    rows = []
    for d_in, d_sae, k, batch in SIZES:
        needed, whole, turns = _times(*_arms(d_in, d_sae, k, batch))
        shape = f"{d_in} x {d_sae}, k {k}, batch {batch}"
        rows.append(
            [
                shape,
                f"{1e3 * needed:.2f}",
                f"{1e3 * whole:.2f}",
                f"{whole / needed:.2f}x",
                f"{batch / whole:,.0f}",
                str(turns),
            ]
        )
    heads = ["d_in x d_sae", "product and top-k, ms", "step, ms", "ratio", "samples/s", "turns"]
    return f"{device_in_words('cpu')}; {threads} thread(s), random rows, no dead latents.\n\n{markdown(heads, rows)}"


def _arms(d_in: int, d_sae: int, k: int, batch: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """What is needed, and a whole step of saes.train, on the same rows."""
    sys.path.insert(0, str(ROOT / "templates"))
    import saes

    torch.manual_seed(0)
    sae, x, step = saes.TopKSAE(d_in, d_sae, k), 3 * torch.randn(batch, d_in), saes.Step()
    optimizer = saes.adam(sae.parameters(), 1e-3, (0.9, 0.999))

    def needed() -> None:
        with torch.no_grad():
            torch.addmm(sae.b_enc, x - sae.b_dec, sae.W_enc).topk(k, dim=1, sorted=False)

    def whole() -> None:
        found = sae.loss(x, step)
        optimizer.zero_grad()
        found.total.backward()
        sae.before_step()
        optimizer.step()
        sae.after_step(found, step)

    return needed, whole


def _times(*arms: Callable[[], object]) -> tuple[float, float, int]:
    took: list[list[float]] = [[] for _ in arms]
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until or len(took[0]) < 5:
        for arm, seconds in zip(arms, took, strict=True):
            started = time.perf_counter()
            arm()
            seconds.append(time.perf_counter() - started)
    first, second = (statistics.median(seconds[1:]) for seconds in took)
    return first, second, len(took[0]) - 1
