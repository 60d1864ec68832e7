"""What a TopK training step must do at least: its operations, its bytes, and the time they take on a measured machine.

Pure. A step is three phases that wait for each other, so their floors add up; within a phase arithmetic and memory may
overlap, so the longer of the two counts. A tensor counts once for each pass that cannot do without it: what could ride
along with another pass (unit decoder rows, the clipping of gradients) is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

WORD = 4  # bytes of a float32: parameters, gradients, the optimizer's state and the rows


@dataclass(frozen=True)
class Sizes:
    """What is trained, and how long it is looked at."""

    d_in: int
    d_sae: int
    k: int
    batches: tuple[int, ...]
    pool: int  # batches that lie on the device: together more than its cache
    square: int  # of the product that measures the arithmetic
    copied_mb: int  # of the copy that measures the memory
    warm: int  # steps before the first timed one
    steps: int  # of a timed block
    rounds: int


GEMMA = Sizes(
    d_in=2304,
    d_sae=16384,
    k=40,
    batches=(2048, 4096),
    pool=16,
    square=8192,
    copied_mb=2048,
    warm=25,
    steps=100,
    rounds=5,
)
SMALL = Sizes(d_in=64, d_sae=256, k=8, batches=(64, 128), pool=4, square=256, copied_mb=8, warm=2, steps=5, rounds=2)

ACT_BYTES = {"tf32": WORD, "bf16": 2}  # of one pre-activation
PRECISIONS = {"tf32": "float32, TF32 products", "bf16": "bfloat16 autocast"}
# How often an optimizer passes over something as large as the parameters: gradient read, and parameter and state both
# read and written. Adam keeps two moments, a schedule-free method one average.
PASSES = {"Adam": 7, "Adam, fused on a GPU": 7, "schedule-free sign": 5}


@dataclass(frozen=True)
class Phase:
    name: str
    flops: float
    moved: float  # bytes

    def seconds(self, flops_per_s: float, bytes_per_s: float) -> float:
        return max(self.flops / flops_per_s, self.moved / bytes_per_s)


def phases(sizes: Sizes, batch: int, act_bytes: int = WORD, optimizer: str = "Adam") -> list[Phase]:
    """The needed work of a step: every row meets every latent once, and after that only its own k."""
    d_in, d_sae, k = sizes.d_in, sizes.d_sae, sizes.k
    weights, rows, acts = WORD * d_in * d_sae, WORD * batch * d_in, act_bytes * batch * d_sae
    parameters = 2 * d_in * d_sae + d_sae + d_in
    reached = WORD * d_in * min(d_sae, batch * k)  # decoder rows that are read, each once: the cache is perfect
    return [
        Phase("the encoder's product", 2 * batch * d_in * d_sae, weights + rows + acts),
        # Forwards one sum over the chosen; backwards one each for values, decoder and encoder. Residual: out and in.
        Phase("choice, decoding and gradients", 4 * 2 * batch * k * d_in, acts + 2 * reached + 3 * rows + 2 * weights),
        Phase("the update", 0.0, WORD * parameters * PASSES[optimizer]),
    ]


def needed_flops(sizes: Sizes, batch: int) -> float:
    return sum(phase.flops for phase in phases(sizes, batch))


def dense_flops(sizes: Sizes, batch: int) -> float:
    """Of a step that multiplies with the zeros too: encoder and decoder, and backwards both weights and the latents."""
    return 5 * 2 * batch * sizes.d_in * sizes.d_sae


def floor_s(steps: list[Phase], flops_per_s: float, bytes_per_s: float) -> float:
    """Seconds under which no step comes on a machine with these rates."""
    return sum(phase.seconds(flops_per_s, bytes_per_s) for phase in steps)


def product_rate(sizes: Sizes, seconds: float) -> float:
    """FLOP/s of the square product that took so long."""
    return 2 * sizes.square**3 / seconds


def copy_rate(sizes: Sizes, seconds: float) -> float:
    """Bytes/s, those read and those written."""
    return 2 * sizes.copied_mb * 1e6 / seconds
