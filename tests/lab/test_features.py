"""The page of features: what of a latent is computed, against dense numpy; and what is shown of it."""

import numpy as np
import pytest
from scipy import sparse

from agent.core.errors import UserError
from agent.core.template import load_template
from agent.lab.published.features import CONTEXTS, Shown, check_shown, chosen, features
from tests.support import ROOT
from tests.support.tiny import TINY

SEQUENCES, CONTEXT, D_SAE, D_IN, VOCABULARY = 12, 7, 6, 5, 9


@pytest.fixture
def dense():
    draw = np.random.default_rng(0)
    rows = SEQUENCES * (CONTEXT - 1)
    return np.where(
        draw.random((rows, D_SAE)) < np.array([0.9, 0.6, 0.4, 0.2, 0.1, 0.0]), draw.random((rows, D_SAE)), 0
    )


def shown(**changes) -> Shown:
    draw = np.random.default_rng(1)
    tokens, unembed = draw.integers(0, VOCABULARY, (SEQUENCES, CONTEXT)), draw.normal(size=(D_IN, VOCABULARY))
    given = {"tokens": tokens, "word": lambda token: f"<{token}>", "logits": lambda directions: directions @ unembed}
    return Shown(**{**given, **changes})


def decoder() -> np.ndarray:
    rows = np.random.default_rng(2).normal(size=(D_SAE, D_IN))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_density_contexts_logits_and_nearest_latents_are_those_of_the_dense_latents(dense):
    seen, rows = shown(), sparse.csr_matrix(np.vstack([dense, np.ones((3, D_SAE))]))  # rows for labels come behind
    found = features(rows, decoder(), seen, 10)

    assert [one.latent for one in found] == [0, 1, 2, 3, 4]  # by density; the sixth is never active
    for one in found:
        column = dense[:, one.latent]
        by_sequence = column.reshape(SEQUENCES, CONTEXT - 1)
        best = np.sort(by_sequence.max(axis=1))[::-1][:CONTEXTS]
        assert one.density == pytest.approx((column > 0).mean()) and one.largest == column.max()
        assert [context.peak for context in one.contexts] == best[best > 0].tolist()
        sequence = int(by_sequence.max(axis=1).argmax())
        words = tuple(f"<{token}>" for token in seen.tokens[sequence, 1:])
        assert tuple(text for text, _ in one.contexts[0].tokens) == words
        assert [share for _, share in one.contexts[0].tokens] == pytest.approx(by_sequence[sequence] / column.max())
        moved = seen.logits(decoder()[one.latent][None])[0]
        assert one.up[0] == (f"<{moved.argmax()}>", pytest.approx(moved.max()))
        assert one.down[0] == (f"<{moved.argmin()}>", pytest.approx(moved.min()))
        cosines = decoder() @ decoder()[one.latent]
        assert one.nearest[0] == (int(np.argsort(cosines)[-2]), pytest.approx(np.sort(cosines)[-2]))
        assert one.latent not in {other for other, _ in one.nearest}


def test_so_many_latents_are_spread_from_the_most_frequent_to_the_rarest():
    density = np.array([0.0, 0.5, 0.1, 0.3, 0.2])

    assert chosen(density, 2) == [1, 2] and chosen(density, 3) == [1, 4, 2]
    assert chosen(density, 9) == [1, 3, 4, 2] and chosen(np.zeros(4), 3) == []


def test_a_place_outside_the_residual_stream_has_no_logits(dense):
    found = features(sparse.csr_matrix(dense), decoder(), shown(logits=lambda directions: None), 2)

    assert found[0].up == found[0].down == ()


def test_a_template_whose_rows_are_no_tokens_is_refused():
    check_shown(load_template(ROOT / "templates" / "lm_sae"))
    with pytest.raises(
        UserError, match="--features: tiny has no features.py: its rows are not a language model's tokens"
    ):
        check_shown(TINY)
