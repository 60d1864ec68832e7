"""The integrity gate: named checks of whether a measured run can be believed.

A finding has one of three grades: `refuse` makes the result not count, `flag` is reported to the agent and in the
paper's appendix, and `note` is only kept in the record. `check` judges a record beside the records before it; PROBES
judge one training's latents while it is measured (measuring/dictionary.py). Not here: retrying (policy.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.manifest import Manifest
from agent.core.record import Finding, RunRecord
from agent.lab.integrity import curves, effort, latents, names, sameness, weights, whole
from agent.lab.integrity.rule import Check

__all__ = ["CHECKS", "PROBES", "REPORTS", "REFUSED_BY_THE_MEASUREMENT", "Check", "catalogue", "check"]

CHECKS: tuple[Check, ...] = (
    whole.missing_training,
    whole.foreign_training,
    whole.missing_metric,
    whole.impossible_value,
    whole.protected_changed,
    whole.data_changed,
    sameness.copied_across_seeds,
    sameness.artefact_of_another_seed,
    sameness.artefact_of_an_earlier_run,
    sameness.same_across_seeds,
    sameness.no_effect,
    sameness.unchanged_code,
    sameness.same_code,
    effort.no_training,
    effort.no_curve,
    effort.flat_loss,
    effort.little_compute,
    effort.much_compute,
    effort.too_fast,
    effort.over_budget,
    effort.no_count,
    effort.off_target,
    curves.smooth_loss,
    curves.same_loss,
    curves.starts_again,
    curves.other_final_loss,
    weights.shared_weights,
    weights.large_artefact,
)
REPORTS: tuple[Check, ...] = (names.claims_a_metric,)  # judge the names in diagnostics.json as it is read
PROBES: tuple[Check, ...] = (
    latents.constant,
    latents.too_precise,
    latents.silent,
    latents.duplicates,
    latents.negative,
)
# Codes of refusals that end a training before it has metrics (agent/lab/measuring); for the manual.
REFUSED_BY_THE_MEASUREMENT: dict[str, str] = {
    "artefact": "The artefact is missing, no plain file, not a safetensors file, or has a wrong shape, type or "
    "value. Does not catch a decoder that is well-formed and useless.",
    "artefact-holds-data": "A tensor beside the decoder is made of rows of the training data, in any scale. "
    "Does not catch data in another encoding (large-artefact flags its size).",
    "untrained": "The score is at the untrained floor, and the same code leaves the same decoder after one batch. "
    "Does not catch noise added to an initialisation (at-floor flags it).",
    "encode-depends-on-batch": "A second process, with other order and batch sizes, got other latents: statistics "
    "over the batch, state, chance or the clock. Does not catch a dependence that both processes share.",
    "encode-shape": "A call gives another type or shape than the manifest declares, or another number of latents than "
    "W_dec has rows.",
    "encode-dense": "More non-zero latents than the template allows.",
    "encode-not-finite": "NaN or infinite numbers in an answer.",
    "encode-malformed": "The model's process answered with something other than the arrays of a call.",
    "encode-too-much": "An answer is too large, or all calls of a measurement together are too large or too many.",
    "does-not-repeat": "A call that is not answered row by row got another answer in a fresh process, after other "
    "calls: state from call to call, chance or the clock. Does not catch a difference in calls beyond the 256 of a "
    "method that are repeated.",
    "evaluate": "The template's evaluation cannot measure the artefact.",
    "missing-metric": "A metric is missing.",
    "metric-not-finite": "A metric is NaN or infinite.",
    "impossible-value": "A metric is outside its possible range.",
}


def check(record: RunRecord, earlier: Sequence[RunRecord], manifest: Manifest) -> tuple[Finding, ...]:
    """All findings about a record, the gravest first, with those that its trainings have already.

    The points of a sweep (trainings with other values of one number) are judged as a record of their own, for which the
    run itself is one of the earlier ones.
    """
    found = [finding for training in record.trainings for finding in training.findings]
    found += [finding for one in CHECKS for finding in one(record, earlier, manifest)]
    if record.points is not None:
        found += [finding for training in record.points.trainings for finding in training.findings]
        found += [finding for one in CHECKS for finding in one(record.points, [*earlier, record], manifest)]
    order = {"refuse": 0, "flag": 1, "note": 2}
    return tuple(sorted(dict.fromkeys(found), key=lambda f: order[f.grade]))


def catalogue() -> list[tuple[str, str, str]]:
    """Code, grade and description of every check, for the manual (docs/refusals.md)."""
    rows = [(one.code, str(one.grade), one.about) for one in (*CHECKS, *REPORTS, *PROBES)]
    named = {code for code, _, _ in rows}
    return rows + [(code, "refuse", text) for code, text in REFUSED_BY_THE_MEASUREMENT.items() if code not in named]
