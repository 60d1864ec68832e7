"""Describes single latents of a measured autoencoder: the texts in which they are active, the logits that they raise
and lower, and the latents with similar decoder rows.

The template's own features.py turns tokens into text. Not here: the page that shows all this (agent/pages).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.core.errors import UserError
from agent.core.features import Context, Feature
from agent.core.template import Template
from agent.lab.built import of_condition
from agent.lab.measuring.artefact import read_artefact
from agent.lab.published.evaluation import Place, settings_of
from agent.lab.published.source import Published
from agent.lab.worlds import load_module

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csc_matrix, csr_matrix

FILE = "features.py"  # a file of templates whose rows belong to tokens
CONTEXTS, LOGITS, NEAREST = 8, 8, 5  # how many are shown for each latent
BEFORE, BEHIND = 20, 8  # tokens shown around the most active one


@dataclass(frozen=True)
class Shown:
    """How a template turns its held-out rows into text."""

    tokens: np.ndarray  # int [sequences, context]; rows are all but the first token of each sequence
    word: Callable[[int], str]  # the text of a token
    logits: Callable[[np.ndarray], np.ndarray | None]  # directions [n, d_in] -> changes of the logits [n, vocabulary]


def features_of(published: Published, place: Place, latents: csr_matrix, count: int) -> list[Feature]:
    """Describe `count` latents of a published autoencoder.

    `place` says where it was measured, and `latents` [N, d_sae] are those of the held-out rows in its own scale.

    Raises:
        UserError: the template's rows do not belong to tokens.
    """
    truth_dir = of_condition(place.data.truth.parent, place.condition.name) / "truth"
    told = {**settings_of(place, published.about), "device": place.device}
    truth = load_module(place.template.path("evaluate.py")).load_truth(truth_dir, told)
    artefact = read_artefact(published.artefact, {})
    scaled = latents.multiply(artefact.scale).tocsr()
    return features(scaled, artefact.decoder, shown_by(place.template, truth), count)


def check_shown(template: Template) -> None:
    """
    Raises:
        UserError: the template's rows do not belong to tokens.
    """
    if not template.path(FILE).is_file():
        raise UserError(
            f"--features: {template.manifest.name} has no {FILE}: its rows are not a language model's tokens"
        )


def shown_by(template: Template, truth: Any) -> Shown:
    """How this template turns its held-out rows into text; `truth` is what its load_truth returned.

    Raises:
        UserError: its rows do not belong to tokens.
    """
    check_shown(template)
    module = load_module(template.path(FILE))
    return Shown(
        tokens=module.tokens(truth),
        word=lambda token: str(module.word(truth, token)),
        logits=lambda directions: module.logits(truth, directions),
    )


def chosen(density: np.ndarray, count: int) -> list[int]:
    """At most `count` active latents, evenly spread from the most frequent to the rarest, in this order."""
    import numpy as np

    order = np.argsort(-density, kind="stable")
    active = order[density[order] > 0]
    places = np.unique(np.linspace(0, len(active) - 1, min(count, len(active))).round().astype(int))
    return [int(latent) for latent in active[places]] if len(active) else []


def features(z: csr_matrix, decoder: np.ndarray, shown: Shown, count: int) -> list[Feature]:
    """Describe `count` latents.

    z [N, d_sae], sparse, begins with the rows of the sequences in `shown`; decoder [d_sae, d_in] has unit rows.
    """
    import numpy as np

    rows = shown.tokens.shape[0] * (shown.tokens.shape[1] - 1)
    by_latent: csc_matrix = z[:rows].tocsc()
    density = by_latent.getnnz(axis=0) / rows
    latents = chosen(density, count)
    moved = shown.logits(decoder[latents]) if latents else None
    found = []
    for place, latent in enumerate(latents):
        column = by_latent[:, latent]
        values = np.abs(column.data)
        up, down = _extremes(moved[place], shown.word) if moved is not None else ((), ())
        found.append(
            Feature(
                latent=latent,
                density=float(density[latent]),
                largest=float(values.max()),
                contexts=_contexts(column.indices, values, shown),
                up=up,
                down=down,
                nearest=_nearest(decoder, latent),
            )
        )
    return found


def _contexts(rows: np.ndarray, values: np.ndarray, shown: Shown) -> tuple[Context, ...]:
    """Cut-outs of the sequences in which a latent is most active, one of each sequence."""
    import numpy as np

    body, largest = shown.tokens.shape[1] - 1, values.max()
    strength = dict(zip(rows.tolist(), values.tolist(), strict=True))
    found: dict[int, Context] = {}
    for row in rows[np.argsort(-values, kind="stable")].tolist():
        sequence, position = divmod(row, body)
        if sequence in found:
            continue
        positions = range(max(0, position - BEFORE), min(body, position + BEHIND + 1))
        ids = shown.tokens[sequence, 1:]
        tokens = tuple((shown.word(int(ids[p])), strength.get(sequence * body + p, 0.0) / largest) for p in positions)
        found[sequence] = Context(strength[row], tokens)
        if len(found) == CONTEXTS:
            break
    return tuple(found.values())


def _extremes(moved: np.ndarray, word: Callable[[int], str]) -> tuple[tuple[tuple[str, float], ...], ...]:
    """The tokens whose logits rise most, and those whose logits fall most."""
    import numpy as np

    order = np.argsort(-moved, kind="stable")
    return tuple(
        tuple((word(int(token)), float(moved[token])) for token in some)
        for some in (order[:LOGITS], order[::-1][:LOGITS])
    )


def _nearest(decoder: np.ndarray, latent: int) -> tuple[tuple[int, float], ...]:
    import numpy as np

    cosines = decoder @ decoder[latent]
    cosines[latent] = -np.inf
    order = np.argsort(-cosines, kind="stable")[:NEAREST]
    return tuple((int(other), float(cosines[other])) for other in order if np.isfinite(cosines[other]))
