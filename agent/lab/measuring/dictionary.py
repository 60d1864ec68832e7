"""Measures a dictionary (an autoencoder with a linear decoder).

A box computes its latents on held-out rows, the runner decodes them, and the template's evaluation gets both. The
result is compared with the floor, the score of untrained dictionaries of the same size. Not here: the box (box.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.record import Finding
from agent.lab.integrity import PROBES
from agent.lab.integrity.effort import AT_FLOOR
from agent.lab.integrity.floor import at_floor, untrained
from agent.lab.measuring import box, repeat, saebench
from agent.lab.measuring.artefact import Artefact, BadArtefact, read_artefact
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.contents import check_no_data
from agent.lab.measuring.repeat import Heard
from agent.lab.measuring.train import after_one_batch
from agent.lab.measuring.verdict import Account, Stopped, evaluate_into

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

MOVED = 1e-3  # relative; a few hundred steps of an ordinary size move a decoder further


def measure(bench: Bench, saved: Path, account: Account) -> tuple[np.ndarray, csr_matrix]:
    """Encode twice, check the latents, decode, evaluate into the account, and compare with the floor.

    Returns the held-out rows [N, d_in] and their latents [N, d_sae] in the artefact's own scale.

    Raises:
        Stopped: the artefact cannot be read or measured, or its latents are refused.
    """
    artefact = _artefact(bench, saved)
    if not bench.job.pretrained:  # a published autoencoder never saw this data, and the runner wrote its file
        check_no_data(bench, saved)
    evaluation, truth = bench.evaluation()
    latents = _encoded(bench, truth.x, len(artefact.decoder))
    z = latents.multiply(artefact.scale).tocsr()
    z.eliminate_zeros()
    for finding in (f for probe in PROBES for f in probe(truth.x, z, artefact.decoder)):
        account.judge(_told(bench, finding))
    x_hat = z @ artefact.decoder + artefact.bias
    evaluate_into(
        account, lambda: evaluation.evaluate(truth.x, z, x_hat, artefact.decoder, truth), bench.manifest.metrics
    )
    floor = untrained(
        bench.evaluate_file,
        evaluation,
        truth,
        bench.data_folder,
        len(artefact.decoder),
        max(1, round(z.nnz / z.shape[0])),
        bench.settings,
    )
    if text := at_floor(account.metrics, floor, bench.manifest.headline):
        account.judge(Finding(code=AT_FLOOR, grade="note" if bench.control else "flag", text=text))
        # without any active latent there are no gradients, so that an honest training cannot move either
        if z.nnz and not bench.control and not bench.job.pretrained:
            _check_it_moved(bench, artefact, account)
    if bench.job.saebench:
        saebench.measure(bench, bench.job.saebench, artefact, account)
    return truth.x, latents


def _told(bench: Bench, finding: Finding) -> Finding:
    """The finding, weakened to a flag for a published autoencoder, whose authors cannot have cheated this check."""
    others = bench.job.pretrained and finding.grade == "refuse"
    return finding.model_copy(update={"grade": "flag"}) if others else finding


def _encoded(bench: Bench, x: np.ndarray, width: int) -> csr_matrix:
    """The latents of all rows, computed in a secret order and compared with those of a second process."""
    import numpy as np

    # a published autoencoder was not trained for the template's bound on active latents
    most = width if bench.job.pretrained else bench.manifest.max_l0
    method = bench.manifest.model.rows("latents", width, most)
    given = np.ascontiguousarray(x, dtype=np.float32)
    order = np.random.default_rng(bench.order_seed("encode")).permutation(len(x))
    with box.started(bench, "encode", {method.name: method}) as answers:
        latents = answers.rows(method.name, [given], order, box.full_batches())
    repeat.check(bench, [Heard(method, (given,), latents)])
    return latents[0]


def _artefact(bench: Bench, saved: Path) -> Artefact:
    try:
        return read_artefact(saved, bench.settings)
    except BadArtefact as bad:
        raise Stopped("refused", "artefact", str(bad)) from None


def _check_it_moved(bench: Bench, artefact: Artefact, account: Account) -> None:
    """Refuse an artefact that hardly differs from what the same code leaves after a single batch."""
    import numpy as np

    try:
        start = after_one_batch(bench)
        before = None if start is None else read_artefact(start, bench.settings)
    except BadArtefact:
        return
    if before is None:
        return
    if np.linalg.norm(artefact.decoder - before.decoder) < MOVED * np.linalg.norm(before.decoder):
        stop = Stopped(
            "refused",
            "untrained",
            "no metric is better than an untrained dictionary's, and the same code with a single batch of "
            "samples leaves the same decoder: the training does not move the parameters.",
        )
        account.stop(stop, bench.job.kind)
