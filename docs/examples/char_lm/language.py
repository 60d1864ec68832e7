"""A language of made-up words over a few letters, and the small model of its text that a checkpoint holds."""

import numpy as np

LETTERS = " abcdefghijklmno"
SEEN = 4  # letters that the model sees before the one it guesses


def words(draw: np.random.Generator, count: int) -> list[str]:
    """Words in which consonants and vowels take turns."""
    vowels, others = "aeio", "bcdfghjklmn"
    kinds = [(others, vowels)[place % 2] for place in range(4)]
    return ["".join(str(draw.choice(list(kind))) for kind in kinds[: draw.integers(2, 5)]) for _ in range(count)]


def text(draw: np.random.Generator, lexicon: list[str], length: int) -> np.ndarray:
    """int64 [length]: words of the lexicon in any order, a space between them, the first ones more often."""
    often = 1 / (2 + np.arange(len(lexicon)))
    chosen = draw.choice(len(lexicon), size=length, p=often / often.sum())
    spelled = " ".join(lexicon[word] for word in chosen)[:length]
    return np.array([LETTERS.index(letter) for letter in spelled])


def fresh(draw: np.random.Generator, width: int) -> dict[str, np.ndarray]:
    """Weights of a model that knows nothing."""
    count = len(LETTERS)
    sizes = {"W_in": (SEEN * count, width), "b_in": (width,), "W_out": (width, count), "b_out": (count,)}
    return {
        name: draw.normal(size=size).astype(np.float32) * (0.1 if name[0] == "W" else 0.0)
        for name, size in sizes.items()
    }


def layers(weights: dict[str, np.ndarray], before: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the model sees of the letters before (int64 [n, SEEN]), its hidden layer, and its scores."""
    seen = np.eye(len(LETTERS), dtype=np.float32)[before].reshape(len(before), -1)
    hidden = np.maximum(seen @ weights["W_in"] + weights["b_in"], 0)
    return seen, hidden, hidden @ weights["W_out"] + weights["b_out"]


def log_p(scores: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def step(weights: dict[str, np.ndarray], before: np.ndarray, letter: np.ndarray, rate: float) -> float:
    """One step down the gradient, in place; the loss in nats."""
    seen, hidden, scores = layers(weights, before)
    logs, rows = log_p(scores), np.arange(len(letter))
    back = np.exp(logs)
    back[rows, letter] -= 1
    back /= len(letter)
    below = back @ weights["W_out"].T * (hidden > 0)
    slopes = {"W_out": hidden.T @ back, "b_out": back.sum(axis=0), "W_in": seen.T @ below, "b_in": below.sum(axis=0)}
    for name, slope in slopes.items():
        weights[name] -= (rate * slope).astype(np.float32)
    return float(-logs[rows, letter].mean())
