"""The latents of one autoencoder as plain data for the page of `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.core.features import Context, Feature

SHADES = 5  # of a token, by its activation; the page's style has a class for each


@dataclass(frozen=True)
class Token:
    text: str
    shade: int  # 0: not active here


@dataclass(frozen=True)
class ContextView:
    peak: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True)
class FeatureView:
    latent: int
    density: str
    largest: str
    contexts: tuple[ContextView, ...]
    up: tuple[tuple[str, str], ...]
    down: tuple[tuple[str, str], ...]
    nearest: tuple[tuple[int, str, bool], ...]  # latent, cosine, and whether it is on this page


@dataclass(frozen=True)
class FeaturesView:
    title: str
    facts: tuple[tuple[str, str], ...]  # of the autoencoder and where it was measured
    features: tuple[FeatureView, ...]


def features_view(title: str, facts: Mapping[str, str], features: Sequence[Feature]) -> FeaturesView:
    """The page of these latents; `facts` says what was measured and where."""
    here = {feature.latent for feature in features}
    return FeaturesView(title, tuple(facts.items()), tuple(_feature(feature, here) for feature in features))


def _feature(feature: Feature, here: set[int]) -> FeatureView:
    return FeatureView(
        latent=feature.latent,
        density=f"{100 * feature.density:.3g}%",
        largest=f"{feature.largest:.3g}",
        contexts=tuple(_context(context) for context in feature.contexts),
        up=tuple((shown(word), f"{value:+.3f}") for word, value in feature.up),
        down=tuple((shown(word), f"{value:+.3f}") for word, value in feature.down),
        nearest=tuple((other, f"{cosine:.2f}", other in here) for other, cosine in feature.nearest),
    )


def _context(context: Context) -> ContextView:
    return ContextView(
        f"{context.peak:.3g}", tuple(Token(shown(text), _shade(share)) for text, share in context.tokens)
    )


def _shade(share: float) -> int:
    """The shade of a token by its share of the largest activation: 0 where the latent is not active, else 1 to
    SHADES."""
    return 0 if share <= 0 else min(SHADES, 1 + int(share * SHADES))


def shown(text: str) -> str:
    """A token with visible signs for blanks, line ends and the empty text."""
    return text.replace(" ", "\u00b7").replace("\n", "\u21b5") or "\u2205"
