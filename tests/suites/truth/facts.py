"""The session that the truth suite's passages speak of: records made by hand over the manifest of synth_sae.

Every number is invented; none of them leaves the tests. `facts()` holds two baselines, five measured experiments, one
that failed, and a confirmation in which the best experiment improves on TopK. `CODE` is the experiment.py of the
described run, `PLAN` what was planned before the first run, `FIGURES` what each figure shows; in the folder session lie
the plan as it was answered and what each run changed.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from pathlib import Path

from agent.core.record import RunRecord, Training
from agent.core.template import load_template
from paper.evidence.facts import Facts
from tests.support import ROOT

SEEDS = (0, 1, 2)
FRESH_SEEDS = (100, 101, 102, 103, 104)
FOLDER = Path(__file__).parent / "session"
CODE = (FOLDER / "experiment.txt").read_text(encoding="utf-8")
TEMPLATE = load_template(ROOT / "templates" / "synth_sae")
D_SAE = 192  # of the profile demo: shares of latents are multiples of 1 / 192

PLAN = """\
Comparison: F1 against topk, which has the same d_sae, l0 and auxiliary loss. Runs, in this order:
1. tiered_topk (from topk): three nested prefixes (a twelfth, a third, all of d_sae), each reconstructs the row by
   itself; the loss is the mean of the three errors. Hypothesis: parents are kept from being absorbed, so F1 and MCC
   go up and explained variance goes down somewhat.
2. tiered_batchtopk (from tiered_topk): latents are chosen over the batch, a stored threshold serves at inference.
   Hypothesis: higher precision and with it F1; the risk is that latents of the outer tiers fall silent.
3. annealed_topk (from tiered_topk): 20 active latents a row at first, linearly down to l0 over 60 % of the steps.
   Hypothesis: fewer silent or doubled latents, so F1, MCC and uniqueness go up.
4. annealed_batchtopk (from tiered_batchtopk): the batch rule with the schedule. Hypothesis: F1 above either alone.
5. orthogonal (from annealed_batchtopk): a penalty on the squared cosines between decoder rows. Hypothesis: it may
   separate features, or work against them, since true directions overlap too.
6. gated_tiers (from tiered_batchtopk): a learned gate that weighs each tier. Hypothesis: the gate closes tiers that a
   row does not need.
"""

FIGURES = {
    "metrics": "all measured runs in all metrics, the single seeds as open circles",
    "differences": "each run's difference in F1 to TopK, and the confirmation's seeds in a panel of their own",
    "curves": "training losses as the experiments logged them, a panel for each run",
    "tradeoff": "F1 against explained variance on the left, F1 against MCC on the right",
    "agent-tiers": "self-reported: the first tier's share of the active latents and the variance that it explains",
}

# Name, label, run, run of the parent, and what the run does.
RUNS = (
    ("topk", "TopK", "0", None, "Keeps the l0 largest pre-activations of a row; AuxK revives dead latents."),
    ("standard", "Standard L1", "0.standard", None, "ReLU encoder with an L1 penalty steered to the target l0."),
    ("tiered_topk", "Tiered TopK", "1", "0", "Three nested prefixes must each reconstruct the row."),
    ("tiered_batchtopk", "Tiered BatchTopK", "2", "1", "Latents are chosen over the batch; a threshold is stored."),
    ("annealed_topk", "Annealed TopK", "3", "1", "The number of active latents falls linearly to the target."),
    ("annealed_batchtopk", "Annealed BatchTopK", "4", "2", "The batch rule together with the schedule."),
    ("orthogonal", "Orthogonal", "5", "4", "A penalty on the squared cosines between decoder rows."),
    ("gated_tiers", "Gated Tiers", "6", "2", "A learned gate weighs each tier."),
)

# A value for each of the three seeds. Dead latents and uniqueness are counts of the 192 latents.
MEASURED = {
    "topk": {
        "f1": (0.573, 0.586, 0.581),
        "mcc": (0.699, 0.706, 0.701),
        "uniqueness": (178, 180, 178),
        "explained_variance": (0.8012, 0.8041, 0.8034),
        "l0": (7.99, 7.98, 7.99),
        "dead_latents": (2, 3, 2),
    },
    "standard": {
        "f1": (0.461, 0.473, 0.470),
        "mcc": (0.597, 0.609, 0.603),
        "uniqueness": (158, 161, 160),
        "explained_variance": (0.7641, 0.7683, 0.7659),
        "l0": (8.14, 8.05, 8.11),
        "dead_latents": (8, 7, 9),
    },
    "tiered_topk": {
        "f1": (0.689, 0.708, 0.703),
        "mcc": (0.744, 0.753, 0.747),
        "uniqueness": (181, 182, 180),
        "explained_variance": (0.7798, 0.7829, 0.7811),
        "l0": (7.98, 7.99, 7.97),
        "dead_latents": (4, 3, 4),
    },
    "tiered_batchtopk": {
        "f1": (0.652, 0.668, 0.660),
        "mcc": (0.711, 0.721, 0.716),
        "uniqueness": (173, 172, 174),
        "explained_variance": (0.7851, 0.7874, 0.7856),
        "l0": (7.90, 7.94, 7.91),
        "dead_latents": (19, 20, 20),
    },
    "annealed_topk": {
        "f1": (0.905, 0.897, 0.913),
        "mcc": (0.814, 0.809, 0.813),
        "uniqueness": (183, 185, 184),
        "explained_variance": (0.7617, 0.7632, 0.7609),
        "l0": (7.97, 7.98, 7.97),
        "dead_latents": (0, 1, 1),
    },
    "annealed_batchtopk": {
        "f1": (0.911, 0.930, 0.949),
        "mcc": (0.801, 0.804, 0.814),
        "uniqueness": (181, 183, 184),
        "explained_variance": (0.7668, 0.7701, 0.7672),
        "l0": (7.86, 7.91, 7.88),
        "dead_latents": (1, 1, 2),
    },
    "orthogonal": {
        "f1": (0.883, 0.897, 0.920),
        "mcc": (0.779, 0.776, 0.786),
        "uniqueness": (181, 182, 183),
        "explained_variance": (0.7531, 0.7569, 0.7545),
        "l0": (7.91, 7.89, 7.90),
        "dead_latents": (2, 1, 2),
    },
}

# The two arms of the confirmation, a value for each of the five fresh seeds.
CONFIRMED = {
    "topk": {
        "f1": (0.569, 0.581, 0.574, 0.590, 0.577),
        "mcc": (0.695, 0.704, 0.698, 0.709, 0.700),
        "uniqueness": (177, 179, 178, 180, 177),
        "explained_variance": (0.7994, 0.8030, 0.8011, 0.8046, 0.8019),
        "l0": (7.98, 7.99, 7.98, 7.99, 7.99),
        "dead_latents": (3, 2, 3, 2, 2),
    },
    "annealed_batchtopk": {
        "f1": (0.908, 0.935, 0.917, 0.941, 0.899),
        "mcc": (0.796, 0.811, 0.802, 0.813, 0.799),
        "uniqueness": (181, 184, 182, 183, 182),
        "explained_variance": (0.7649, 0.7695, 0.7667, 0.7702, 0.7680),
        "l0": (7.87, 7.92, 7.85, 7.90, 7.88),
        "dead_latents": (2, 1, 1, 1, 2),
    },
}

# What the experiments report about themselves, centres over the seeds; the keys are those that their code writes.
DIAGNOSTICS = {
    "topk": {"dead_share_in_training": 0.012},
    "standard": {"final_l1_weight": 0.84, "mean_l0_in_training": 8.07},
    "tiered_topk": {
        "first_tier_active_share": 0.441,
        "first_tier_explained_variance": 0.389,
        "dead_share_in_training": 0.019,
    },
    "tiered_batchtopk": {
        "threshold": 1.31,
        "first_tier_active_share": 0.472,
        "first_tier_explained_variance": 0.402,
        "dead_share_in_training": 0.098,
    },
    "annealed_topk": {
        "first_tier_active_share": 0.334,
        "first_tier_explained_variance": 0.371,
        "dead_share_in_training": 0.004,
    },
    "annealed_batchtopk": {
        "threshold": 1.12,
        "first_tier_active_share": 0.361,
        "first_tier_explained_variance": 0.380,
        "dead_share_in_training": 0.006,
    },
    "orthogonal": {
        "threshold": 1.16,
        "decoder_overlap": 0.874,
        "first_tier_active_share": 0.352,
        "first_tier_explained_variance": 0.366,
        "dead_share_in_training": 0.008,
    },
}

WALL_S = {
    "topk": 19.0,
    "standard": 16.5,
    "tiered_topk": 23.5,
    "tiered_batchtopk": 26.0,
    "annealed_topk": 25.0,
    "annealed_batchtopk": 29.5,
    "orthogonal": 33.0,
}
CRASH = "RuntimeError: The size of tensor a (3) must match the size of tensor b (192) at non-singleton dimension 1"


@cache
def facts() -> Facts:
    """The whole session: baselines, experiments and the two arms of the confirmation."""
    explored = tuple(_record(*run, seeds=SEEDS, values=MEASURED.get(run[0])) for run in RUNS)
    runs = {name: (label, run, about) for name, label, run, _, about in RUNS}
    arms = []
    for arm, name in (("confirm.baseline", "topk"), ("confirm.best", "annealed_batchtopk")):
        label, run, about = runs[name]
        arms.append(_record(name, label, arm, run, about, seeds=FRESH_SEEDS, values=CONFIRMED[name]))
    return Facts((*explored, *arms), TEMPLATE.manifest, TEMPLATE.manifest.default_profile)


def _record(
    name: str,
    label: str,
    run: str,
    parent: str | None,
    about: str,
    *,
    seeds: tuple[int, ...],
    values: dict[str, tuple[float, ...]] | None,
) -> RunRecord:
    """One record; without `values` the run failed in its last attempt, as in all before it."""
    profile = TEMPLATE.manifest.profiles[TEMPLATE.manifest.default_profile]
    confirms = run.startswith("confirm.")
    train = _crashed if values is None else _measured
    return RunRecord(
        run=run,
        kind="confirmation" if confirms else "baseline" if parent is None else "experiment",
        name=name,
        label=label,
        about=about,
        parent=parent,
        status="failed" if values is None else "measured",
        attempts=4 if values is None else 1,
        commit=_digest(name)[:40],
        tree=_digest(label)[:40],
        template=TEMPLATE.manifest.name,
        profile=TEMPLATE.manifest.default_profile,
        settings=profile.settings,
        seeds=seeds,
        conditions=profile.conditions,
        trainings=tuple(train(name, place, seed, values or {}) for place, seed in enumerate(seeds)),
        findings=(),
        started_at=0.0,
        wall_s=len(seeds) * WALL_S.get(name, 2.0),
        device="cpu: AMD EPYC 7B13, 2 cores",
        versions={"torch": "2.6.0", "python": "3.11.7"},
        hashes={"code/experiment.py": _digest(name), "data/activations.npy": ("1" if confirms else "0") * 64},
        sandbox="bwrap",
    )


def _measured(name: str, place: int, seed: int, values: dict[str, tuple[float, ...]]) -> Training:
    """The training of one seed with its metrics, its diagnostics and a loss that falls and flattens."""
    metrics = {
        metric: series[place] / (D_SAE if metric in ("uniqueness", "dead_latents") else 1)
        for metric, series in values.items()
    }
    sway = 0.01 * ((place * 7 + len(name)) % 5 - 2)  # the seeds differ a little in what they report
    steps = tuple(float(23 * i) for i in range(1, 102))
    scale = 60.0 if name in ("topk", "standard") else 85.0  # the tiers enter the loss
    return Training(
        seed=seed,
        condition="k8",
        outcome="measured",
        metrics=metrics,
        diagnostics={key: round(centre * (1 + sway), 4) for key, centre in DIAGNOSTICS[name].items()},
        declared={"samples": 299_904.0, "steps": 2343.0},
        curves={"step": steps, "loss": tuple(scale * (0.3 + 0.7 * math.exp(-step / 400)) for step in steps)},
        wall_s=WALL_S[name] + place,
        cpu_s=1.8 * (WALL_S[name] + place),
        peak_memory_mb=610.0,
    )


def _crashed(name: str, place: int, seed: int, values: dict[str, tuple[float, ...]]) -> Training:
    return Training(seed=seed, condition="k8", outcome="failed", reason="exit", detail=CRASH, wall_s=2.0)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
