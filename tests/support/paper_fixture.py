"""An invented session for the paper's tests: two baselines, four runs of which one failed, three seeds.

All of its numbers are invented and used in tests only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.core.manifest import BaselineSpec, Condition, Manifest, Profile
from agent.core.metrics import MetricSpec, TradeOff
from agent.core.record import Finding, RunRecord, Training
from agent.literature.library import Library, parse_bibtex
from paper.evidence.facts import Facts
from paper.press.parts import PaperMeta

SECTIONS_FOLDER = Path(__file__).parent / "paper_corpus" / "paper"
SETTINGS = {"d_in": 256, "d_sae": 512, "l0": 8, "samples": 1_048_576, "batch": 512, "lr": 0.003}
ONE = (Condition(name="k8", label="8 active latents"),)
TWO = (
    Condition(name="sparse", label="4 active latents", settings={"l0": 4}),
    Condition(name="dense", label="16 active latents", settings={"l0": 16}),
)
SOURCE = "import torch\nTIERS = (32, 128, 512)\nDECAY = 0.75\n\ndef nested_loss(x, z):\n    return x\n"
DIFF = """diff --git a/experiment.py b/experiment.py
index 1..2 100644
--- a/experiment.py
+++ b/experiment.py
@@ -14,6 +14,11 @@ class SAE(torch.nn.Module):
     def loss(self, x: torch.Tensor) -> torch.Tensor:
         z = self.encode(x)
-        return (x - self.decode(z)).pow(2).sum(-1).mean()
+        total = x.new_zeros(())
+        for tier, width in enumerate(TIERS):
+            x_hat = z[:, :width] @ self.W_dec[:width] + self.b_dec
+            total = total + DECAY**tier * (x - x_hat).pow(2).sum(-1).mean()
+        return total
"""


def manifest(conditions: tuple[Condition, ...] = ONE, measured: bool = True) -> Manifest:
    return Manifest(
        name="synth_sae",
        title="Sparse autoencoders on a world with known features",
        measured=measured,
        question="Which sparse autoencoder recovers the true features of a known world?",
        about="Activations come from a synthetic world with hierarchical features.",
        protected=("evaluate.py",),
        default_profile="mini",
        metrics={
            "f1": MetricSpec(
                label="F1",
                better="higher",
                primary=True,
                low=0.0,
                high=1.0,
                read="Do latents fire exactly when their matched feature does? Judge together with MCC "
                "and "
                "uniqueness, since duplicates are not punished.",
            ),
            "mcc": MetricSpec(
                label="MCC",
                better="higher",
                low=-1.0,
                high=1.0,
                read="Mean cosine between matched decoder rows and true feature directions.",
            ),
            "uniqueness": MetricSpec(
                label="Uniqueness",
                better="higher",
                low=0.0,
                high=1.0,
                read="Share of latents that are matched to a feature of their own.",
            ),
            "explained_variance": MetricSpec(
                label="Expl. var.",
                better="higher",
                high=1.0,
                read="Share of the held-out variance that the reconstruction explains.",
            ),
            "dead": MetricSpec(
                label="Dead latents",
                better="lower",
                low=0.0,
                high=1.0,
                read="Share of latents that never fire on held-out data.",
            ),
            "l0": MetricSpec(label="L0", better="target", target=8.0, read="Mean number of active latents."),
        },
        baselines=(
            BaselineSpec(
                name="standard",
                label="Standard L1",
                file="baselines/standard.py",
                about="ReLU encoder with an L1 penalty.",
            ),
            BaselineSpec(
                name="topk",
                label="TopK",
                file="baselines/topk.py",
                about="Keeps the k largest latents, with an auxiliary loss for dead ones.",
            ),
        ),
        profiles={"mini": Profile(about="minutes on a CPU", settings=SETTINGS, seeds=(1, 2, 3), conditions=conditions)},
        tradeoffs=(TradeOff(x="explained_variance", y="f1"),),
    )


def record(
    run: str,
    name: str,
    label: str,
    kind: str,
    centre: dict[str, float] | None,
    *,
    noise: float = 0.006,
    about: str = "",
    conditions: tuple[Condition, ...] = ONE,
    seeds: tuple[int, ...] = (1, 2, 3),
    loss: float = 1.0,
    diagnostics: dict[str, float] | None = None,
    findings: tuple[Finding, ...] = (),
    parent: str | None = None,
) -> RunRecord:
    """One invented record around the metrics in `centre`, or that of a failed run if it is None."""

    def training(index: int, seed: int) -> Training:
        if centre is None:
            reason = "RuntimeError: mat1 and mat2 shapes cannot be multiplied (512x256 and 512x16)"
            condition = conditions[index].name
            return Training(seed=seed, condition=condition, outcome="failed", reason="exit", detail=reason)
        draw = np.random.default_rng(abs(hash_of(name)) + 17 * seed + 101 * index)
        shifted = {k: v if k in ("l0", "dead") else v - 0.03 * index for k, v in centre.items()}
        return _measured(draw, conditions[index].name, seed, shifted, noise, loss, diagnostics or {})

    return RunRecord(
        run=run,
        kind=kind,
        name=name,
        label=label,
        about=about or f"Tries {label}.",
        parent=parent or (None if run.startswith("0") else "0"),
        status="failed" if centre is None else "measured",
        attempts=1 if centre else 4,
        commit=f"{hash_of(name):040x}"[:40],
        tree=f"{hash_of(label):040x}"[:40],
        template="synth_sae",
        profile="mini",
        settings=SETTINGS,
        seeds=seeds,
        conditions=conditions,
        trainings=tuple(training(index, seed) for index in range(len(conditions)) for seed in seeds),
        findings=findings,
        started_at=0.0,
        wall_s=63.0,
        device="cpu: 2 cores",
        versions={"torch": "2.6.0", "python": "3.11.7"},
        hashes={"code/experiment.py": "0" * 64, "data/train.npy": ("1" if kind == "confirmation" else "0") * 64},
        sandbox="bwrap",
    )


def _measured(
    draw: np.random.Generator,
    condition: str,
    seed: int,
    centre: dict[str, float],
    noise: float,
    loss: float,
    diagnostics: dict[str, float],
) -> Training:
    """One invented training. Its metrics are `centre` with noise, its loss falls to a quarter of `loss`."""
    metrics = {
        k: float(v) if k in ("l0", "dead") else float(min(1.0, v + noise * draw.standard_normal()))
        for k, v in centre.items()
    }
    steps = tuple(float(s) for s in range(0, 2049, 64))
    curve = tuple(loss * (0.25 + 0.75 * float(np.exp(-s / 400))) + 0.004 * float(draw.standard_normal()) for s in steps)
    return Training(
        seed=seed,
        condition=condition,
        outcome="measured",
        metrics=metrics,
        wall_s=21.0,
        cpu_s=20.0,
        diagnostics={k: v + 0.01 * float(draw.standard_normal()) for k, v in diagnostics.items()},
        declared={"samples": 1_048_576.0, "steps": 2048.0},
        curves={"step": steps, "loss": curve},
    )


def hash_of(text: str) -> int:
    """A number that is the same in every process, unlike hash()."""
    import hashlib

    return int(hashlib.sha256(text.encode()).hexdigest()[:32], 16) * 2**32


def records(conditions: tuple[Condition, ...] = ONE) -> tuple[RunRecord, ...]:
    def centre(f1: float, mcc: float, unique: float, variance: float, dead: float) -> dict[str, float]:
        return {"f1": f1, "mcc": mcc, "uniqueness": unique, "explained_variance": variance, "dead": dead, "l0": 8.0}

    kinds = {"conditions": conditions}
    return (
        record("0", "standard", "Standard L1", "baseline", centre(0.468, 0.603, 0.83, 0.766, 0.041), loss=60, **kinds),
        record("0.topk", "topk", "TopK", "baseline", centre(0.580, 0.702, 0.93, 0.803, 0.012), loss=42, **kinds),
        record(
            "1",
            "nested",
            "Nested",
            "experiment",
            centre(0.771, 0.731, 0.941, 0.789, 0.009),
            loss=75,
            noise=0.009,
            about="Nested prefixes of the dictionary are decoded on their own, each with a loss.",
            diagnostics={"first_tier_share": 0.31, "last_tier_share": 0.22},
            **kinds,
        ),
        record(
            "2",
            "detached",
            "Nested, detached",
            "experiment",
            centre(0.803, 0.752, 0.957, 0.781, 0.008),
            loss=71,
            noise=0.012,
            about="As Nested, with the gradient of the inner losses cut.",
            diagnostics={"first_tier_share": 0.35},
            **kinds,
        ),
        record(
            "3",
            "decorrelated",
            "Decorrelated",
            "experiment",
            centre(0.577, 0.70, 0.928, 0.801, 0.013),
            loss=44,
            about="A penalty on the cosine between decoder rows.",
            findings=(Finding(code="no-effect", grade="flag", text="the metrics lie within the noise of run 0.topk"),),
            **kinds,
        ),
        record("4", "gated", "Gated nested", "experiment", None, about="A gate per tier.", **kinds),
    )


def confirmation(
    f1: float | None = 0.797,
    conditions: tuple[Condition, ...] = ONE,
    seeds: tuple[int, ...] = (101, 102, 103, 104, 105),
) -> tuple[RunRecord, ...]:
    """The two arms on fresh seeds; f1 None: the best run failed on them."""
    rest = {"mcc": 0.75, "uniqueness": 0.95, "explained_variance": 0.78, "dead": 0.009, "l0": 8.0}
    kinds = {"conditions": conditions, "seeds": seeds}
    return (
        record(
            "confirm.baseline",
            "topk",
            "TopK",
            "confirmation",
            {"f1": 0.584} | rest,
            parent="0.topk",
            about="Keeps the k largest latents, with an auxiliary loss for dead ones.",
            **kinds,
        ),
        record(
            "confirm.best",
            "detached",
            "Nested, detached",
            "confirmation",
            None if f1 is None else {"f1": f1} | rest,
            noise=0.012,
            parent="2",
            about="As Nested, with the gradient of the inner losses cut.",
            **kinds,
        ),
    )


@dataclass(frozen=True)
class Fixture:
    facts: Facts
    library: Library
    sections: dict[str, str]
    meta: PaperMeta


def library() -> Library:
    return Library(parse_bibtex((SECTIONS_FOLDER / "five.bib").read_text(encoding="utf-8")))


def fixture(conditions: tuple[Condition, ...] = ONE, arms: tuple[RunRecord, ...] | None = None) -> Fixture:
    """The session with its confirmation, or with the arms given; () is a session without one."""
    arms = confirmation(conditions=conditions) if arms is None else arms
    facts = Facts((*records(conditions), *arms), manifest(conditions), "mini")
    sections = {p.stem: p.read_text(encoding="utf-8") for p in sorted(SECTIONS_FOLDER.glob("*.md"))}
    return Fixture(
        facts,
        library(),
        sections,
        PaperMeta(
            statement="The words of this paper were written by a test; its measurements are invented.",
            fallback_title="Hierarchical sparse autoencoders",
            authors="An experiment runner, session 2025-01-01",
            session="2025-01-01_hierarchical_sae",
            command="./launch.py --idea hierarchical_sae",
            source=SOURCE,
            diff=DIFF,
            costs=(("Model calls", "none: played back"), ("Training time", "12 minutes")),
        ),
    )
