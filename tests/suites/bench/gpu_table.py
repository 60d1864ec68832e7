"""What speed-gpu measured, as text for BENCHMARKS.md. Pure: a table of arms, and lines computed from its numbers."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.suites.bench.gpu_work import (
    ACT_BYTES,
    PRECISIONS,
    Sizes,
    copy_rate,
    dense_flops,
    floor_s,
    needed_flops,
    phases,
    product_rate,
)


@dataclass(frozen=True)
class Arm:
    label: str
    optimizer: str  # a name in gpu_work.PASSES
    ours: bool = False


ARMS = {
    "ours": Arm("templates/saes", "Adam, fused on a GPU", ours=True),
    "ours-compiled": Arm("templates/saes, torch.compile", "Adam, fused on a GPU", ours=True),
    "sae_lens": Arm("sae_lens", "Adam"),
    "sae_lens-sparse": Arm("sae_lens, sparse activations", "Adam"),
    "sae_lens-compiled": Arm("sae_lens, torch.compile", "Adam"),
    "dictionary_learning": Arm("dictionary_learning", "Adam"),
    "sparsify": Arm("sparsify", "schedule-free sign"),
}
MACHINE = ("product", "copy")  # they take their turns among the arms
HEADS = [
    "precision",
    "batch",
    "arm",
    "optimizer",
    "samples/s",
    "ms a step (all blocks)",
    "against the fastest peer",
    "peak GPU memory without the rows, GB",
    "TFLOP/s of the needed work",
    "share of the roofline",
]


@dataclass
class Measured:
    """One arm in one setting."""

    seconds: list[float] = field(default_factory=list)  # a step, of each block
    peak_gb: float | None = None
    failed: str = ""
    kernels: Sequence[tuple[str, float]] = ()  # name and milliseconds a step

    @property
    def whole(self) -> bool:
        """Whether it came through all its blocks."""
        return bool(self.seconds) and not self.failed

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


Setting = tuple[str, int]  # precision, batch
Results = Mapping[str, Measured]


def fastest(results: Results, ours: bool) -> str | None:
    """The quickest of our arms, or of the peers'; None if none was measured."""
    there = [name for name, arm in ARMS.items() if arm.ours == ours and name in results and results[name].whole]
    return min(there, key=lambda name: results[name].median, default=None)


def ratio(results: Results, name: str, to: str) -> float:
    """How many times as fast: the median over rounds, since what slows the machine for a while slows both."""
    pairs = zip(results[to].seconds, results[name].seconds, strict=True)
    return statistics.median(theirs / own for theirs, own in pairs)


def rates(sizes: Sizes, results: Results) -> tuple[float, float] | None:
    """FLOP/s and bytes/s of the machine in this setting; None if either could not be measured."""
    if not all(name in results and results[name].whole for name in MACHINE):
        return None
    return product_rate(sizes, results["product"].median), copy_rate(sizes, results["copy"].median)


def row(sizes: Sizes, setting: Setting, name: str, results: Results) -> list[str]:
    precision, batch = setting
    arm, found = ARMS[name], results[name]
    heads = [PRECISIONS[precision], f"{batch:,}", arm.label, arm.optimizer]
    if not found.whole:
        return [*heads, f"left out: {found.failed.replace('|', '/')}", *[""] * (len(HEADS) - len(heads) - 1)]
    peer, machine, median = fastest(results, ours=False), rates(sizes, results), found.median
    share = "-"
    if machine:
        floor = floor_s(phases(sizes, batch, ACT_BYTES[precision], arm.optimizer), *machine)
        share = f"{floor / median:.0%}"
    return [
        *heads,
        f"{batch / median:,.0f}",
        f"{1e3 * median:.2f} ({1e3 * min(found.seconds):.2f} to {1e3 * max(found.seconds):.2f})",
        f"{ratio(results, name, peer):.2f}x" if peer else "-",
        "-" if found.peak_gb is None else f"{found.peak_gb:.2f}",
        f"{needed_flops(sizes, batch) / median / 1e12:.3g}",
        share,
    ]


def rows(sizes: Sizes, found: Mapping[Setting, Results]) -> list[list[str]]:
    return [
        row(sizes, setting, name, results) for setting, results in found.items() for name in ARMS if name in results
    ]


def analysis(sizes: Sizes, setting: Setting, results: Results) -> str:
    """What a step needs, how long that takes on this machine, and who comes how near."""
    precision, batch = setting
    said = [f"- {PRECISIONS[precision]}, batch {batch:,}:"]
    if machine := rates(sizes, results):
        flops_per_s, bytes_per_s = machine
        steps = phases(sizes, batch, ACT_BYTES[precision], "Adam")
        parts = ", ".join(
            f"{p.name} {1e3 * p.seconds(*machine):.3g} ms "
            f"({f'{_flops(p.flops)}, ' if p.flops else ''}{p.moved / 1e9:.3g} GB)"
            for p in steps
        )
        said.append(
            f"at {flops_per_s / 1e12:.3g} TFLOP/s and {bytes_per_s / 1e9:,.0f} GB/s, measured in turn with the "
            f"arms, a step under Adam takes at least {1e3 * floor_s(steps, *machine):.3g} ms: {parts}. "
            f"It needs {_flops(needed_flops(sizes, batch))}; were all its products dense, "
            f"{_flops(dense_flops(sizes, batch))}."
        )
    return " ".join([*said, *_verdict(results), *_kernels(results)])


def _verdict(results: Results) -> list[str]:
    ours, peer = fastest(results, ours=True), fastest(results, ours=False)
    if not ours or not peer:
        return ["No comparison: " + ("no peer was measured." if ours else "ours was not measured.")]
    times = f"{1e3 * results[ours].median:.2f} ms against {1e3 * results[peer].median:.2f} ms"
    which = "Fastest" if ratio(results, ours, peer) >= 1 else "Not the fastest"
    return [f"{which}: {ARMS[ours].label} beside {ARMS[peer].label}, {times}."]


def _kernels(results: Results) -> list[str]:
    """Where the time goes, of those that were profiled: what a slower step is explained with."""
    return [
        f"In a step of {ARMS[name].label}, ms: "
        + "; ".join(f"`{_short(kernel)}` {ms:.2f}" for kernel, ms in one.kernels)
        + "."
        for name, one in results.items()
        if one.kernels
    ]


def _short(kernel: str) -> str:
    """A kernel's name without the types it was made for."""
    plain = kernel.removeprefix("void ").replace("|", "/").replace("`", "")
    return plain if len(plain) <= 60 else plain[:44] + "..." + plain[-13:]


def _flops(count: float) -> str:
    return f"{count / 1e12:.3g} TFLOP" if count >= 1e11 else f"{count / 1e9:.3g} GFLOP"
