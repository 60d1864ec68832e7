"""Checks of whether one training's latents and decoder look like an autoencoder's; pure functions over arrays.

They get the held-out rows x [N, d_in], the latents z, sparse [N, d_sae], scaled for unit decoder rows, and the decoder
[d_sae, d_in] with unit rows (measuring/dictionary.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.lab.integrity.rule import named

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

SAME = 0.5  # share of the rows that may have the same latents
MANTISSA_BITS = 8  # as in bfloat16
LOST = 0.01  # share of the data's variance; rounding costs an honest autoencoder about 1e-5
TWIN = 0.95  # absolute cosine; of tuned baselines, one latent in a hundred has such a neighbour
TWINS = 0.1  # share of latents that may have a twin


@named("constant-latents", "refuse")
def constant(x: np.ndarray, z: csr_matrix, decoder: np.ndarray) -> Iterator[str]:
    """Catches latents that are the same in most rows though the rows differ: they are hard-coded, not computed from the
    input. Does not catch a table that is looked up by the input."""
    import numpy as np

    rows: dict[bytes, list[int]] = {}
    for number, (start, stop) in enumerate(zip(z.indptr, z.indptr[1:], strict=False)):
        if stop > start:
            rows.setdefault(z.indices[start:stop].tobytes() + z.data[start:stop].tobytes(), []).append(number)
    alike = max(rows.values(), key=len, default=[])
    different = len(np.unique(x[alike], axis=0)) if len(alike) > 1 else 0
    if different > SAME * z.shape[0]:
        yield (
            f"SAE.encode gives the same latents to {different / z.shape[0]:.0%} of the held-out rows, which differ; "
            "they do not depend on the input"
        )


@named("latents-too-precise", "refuse")
def too_precise(x: np.ndarray, z: csr_matrix, decoder: np.ndarray) -> Iterator[str]:
    """Catches latents whose last digits carry the reconstruction, such as huge values that cancel or an input hidden in
    the low bits. Rounded to 8 significant bits, latents must still decode to nearly the same. Does not catch digits on
    which nothing depends; the runner's linear decoder cannot read them back."""
    import numpy as np

    rounded = z.copy()
    rounded.data = round_mantissa(z.data)
    moved = float(np.square((z - rounded) @ decoder).sum() / max(np.square(x - x.mean(axis=0)).sum(), 1e-30))
    if not moved <= LOST:
        yield (
            f"rounding the latents to {MANTISSA_BITS} significant bits moves the reconstruction by "
            f"{moved:.2g} of the data's variance; an autoencoder's latents do not hang on their last digits"
        )


@named("no-latents", "flag")
def silent(x: np.ndarray, z: csr_matrix, decoder: np.ndarray) -> Iterator[str]:
    """Flags an encoder without an active latent on any held-out row: the training collapsed."""
    if z.nnz == 0:
        yield "no latent is active on any held-out row"


@named("duplicate-latents", "flag")
def duplicates(x: np.ndarray, z: csr_matrix, decoder: np.ndarray) -> Iterator[str]:
    """Flags a dictionary in which more than a tenth of the latents have a twin (a cosine of decoder rows above 0.95),
    because a mean over latents, such as F1, counts one discovery many times. Does not catch copies that are turned
    further apart; a template should measure uniqueness."""
    import numpy as np

    twins = 0
    for start in range(0, len(decoder), 1024):
        block = np.abs(decoder[start : start + 1024] @ decoder.T)
        block[np.arange(len(block)), np.arange(start, start + len(block))] = 0.0
        twins += int((block.max(axis=1, initial=0.0) > TWIN).sum())
    if twins > TWINS * len(decoder):
        yield f"{twins} of {len(decoder)} latents have a twin with nearly the same decoder row"


@named("negative-latents", "note")
def negative(x: np.ndarray, z: csr_matrix, decoder: np.ndarray) -> Iterator[str]:
    """Notes latents below zero; they count as active."""
    share = float((z.data < 0).mean()) if z.nnz else 0.0
    if share > 0.01:
        yield f"{share:.0%} of the non-zero latents are negative"


def round_mantissa(values: np.ndarray) -> np.ndarray:
    """The values rounded to MANTISSA_BITS significant bits."""
    import numpy as np

    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 2**MANTISSA_BITS) / 2**MANTISSA_BITS, exponent)
