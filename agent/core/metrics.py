"""The metrics of a manifest, the guards on them, and the pairs of them that the paper plots."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from agent.core.schema import Strict

Better = Literal["higher", "lower", "target"]


class MetricSpec(Strict):
    """One metric as the template measures it."""

    label: str  # how tables and figures name it, e.g. "F1"
    better: Better
    read: str  # one sentence: what it means and how to judge it
    primary: bool = False  # the metric of the comparison that is fixed before the first run
    unit: str = ""
    target: float | None = None  # only with better = "target"; a setting with the metric's name overrides it
    target_setting: str = ""  # name of the setting that overrides the target, if it is not the metric's name
    low: float | None = None  # smallest possible value; a value below it is refused
    high: float | None = None
    distribution: bool = False  # the order of the answers does not matter, so chance is what an untrained model scores
    detail: bool = False  # only the planner and the appendix get it: no column in the main table, no panel of a figure
    timed: bool = False  # measured by a clock: two measurements never agree exactly, and any model may be ahead by luck
    confirmation: bool = False  # measured only in the confirmation, because it takes long

    @model_validator(mode="after")
    def _target_is_named(self) -> MetricSpec:
        if (self.better == "target") != (self.target is not None):
            raise ValueError('`target` goes with better = "target", and only with it')
        return self

    def merit(self, value: float, aim: float | None) -> float:
        """The value, mapped so that larger is better whatever the metric's direction.

        `aim` is the value that a metric with a target should have (`Manifest.aim`); None for a metric without one.

        Raises:
            ValueError: the metric has a target, and `aim` is None.
        """
        if self.better == "target":
            if aim is None:
                raise ValueError(f"{self.label} has a target, so its merit needs an aim")
            return -abs(value - aim)
        return value if self.better == "higher" else -value


class TradeOff(Strict):
    """Two metrics that the paper plots against each other."""

    x: str
    y: str
    sweep: bool = False  # if a run has several conditions, these trade-offs are drawn instead of the others


class Guard(Strict):
    """How far a metric may get worse in a run that is ahead in the primary metric."""

    metric: str
    fall: float | None = Field(default=None, ge=0)  # in the metric's unit
    share: float | None = Field(default=None, ge=0)  # as a share of the compared run's value

    @model_validator(mode="after")
    def _one_bound(self) -> Guard:
        if (self.fall is None) == (self.share is None):
            raise ValueError(f"guards: {self.metric}: give exactly one of `fall` (in the metric's unit) and `share`")
        return self

    @property
    def bound(self) -> str:
        """How far the metric may fall, in words: "by 0.05", "by 10% of the baseline's value"."""
        return (
            f"by {self.fall:g}"
            if self.fall is not None
            else f"by {100 * (self.share or 0.0):g}% of the baseline's value"
        )

    def allowed(self, compared: float) -> float:
        """How much worse the metric may be than `compared`, the value of the compared run."""
        return self.fall if self.fall is not None else (self.share or 0.0) * abs(compared)
