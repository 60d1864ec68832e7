"""A latent of an autoencoder as a page shows it: where it is active, what it writes, what is like it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Context:
    """A piece of a sequence around the token at which a latent is most active."""

    peak: float
    tokens: tuple[tuple[str, float], ...]  # text, and activation as a share of the latent's largest


@dataclass(frozen=True)
class Feature:
    """One latent."""

    latent: int
    density: float  # share of the rows in which it is active
    largest: float
    contexts: tuple[Context, ...]
    up: tuple[tuple[str, float], ...]  # tokens whose logits it raises most, and by how much for a unit step
    down: tuple[tuple[str, float], ...]
    nearest: tuple[tuple[int, float], ...]  # other latents, and the cosine of their decoder rows
