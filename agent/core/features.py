"""A latent of an autoencoder as a page shows it: where it is active, what it writes, which latents resemble it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Context:
    """A piece of a sequence around the token at which a latent is most active."""

    peak: float  # the activation at that token
    tokens: tuple[tuple[str, float], ...]  # text, and activation as a share of the latent's largest


@dataclass(frozen=True)
class Feature:
    """One latent."""

    latent: int
    density: float  # share of the rows in which it is active
    largest: float  # its largest activation
    contexts: tuple[Context, ...]
    up: tuple[tuple[str, float], ...]  # tokens whose logits it raises most, with the change for a unit step
    down: tuple[tuple[str, float], ...]  # the same for tokens whose logits it lowers most
    nearest: tuple[tuple[int, float], ...]  # other latents, each with the cosine of its decoder row to this one's
