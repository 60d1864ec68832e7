"""Says whether a higher or a lower value of a self-reported number is better, if its name leaves no doubt.

For every other number, a person is asked (draft.py).
"""

from __future__ import annotations

import re
from typing import Literal

LOWER = re.compile(r"loss|losses|error|err|perplexity|ppl|nll|mse|rmse|mae|bpc|bpb|wer|cer|fid")
HIGHER = re.compile(
    r"acc|accuracy|f1|auc|auroc|precision|recall|bleu|rouge|rewards?|returns?|psnr|ssim|iou|r2|correlation"
)
# Words that make the name one of another quantity: "step_val_acc_99" counts steps, and fewer are better.
OTHER = re.compile(
    r"steps?|epochs?|iter|iters|iterations?|time|seconds|count|num|gap|diff|difference|delta|ratio|change|std|var|"
    r"variance|weight|coef|scale|threshold|until|at|to|vs|no|non|un"
)


def direction(name: str) -> Literal["higher", "lower"] | None:
    """The better direction of a number by its name, given without a data set at its end; None if it is not sure."""
    *before, last = name.removesuffix("_rate").split("_")
    if any(pattern.fullmatch(word) for word in before for pattern in (LOWER, HIGHER, OTHER)):
        return None
    return "lower" if LOWER.fullmatch(last) else "higher" if HIGHER.fullmatch(last) else None
