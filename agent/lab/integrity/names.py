"""A check of the names that an experiment gives to the numbers which it reports about itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from agent.core.manifest import Manifest
from agent.lab.integrity.rule import named

# Words that leave a metric's name what it is: `f1`, `final_f1` and `f1_score` all claim to be the F1.
_FILLING = r"(?:final|mean|measured|own|real|score|true|value)"
_CLAIMS = re.compile(
    r"(?:^|_)(?:p_?val(?:ue)?s?|p_(?:vs|against|of)|significan\w*|[tz]_?test|held_?out|hold_?out|unseen|"
    r"test_?(?:set|split|rows|data))(?:_|$)"
)


@named("claims-a-metric", "flag")
def claims_a_metric(reported: Iterable[str], manifest: Manifest) -> Iterator[str]:
    """Flags and drops a diagnostic that is called like a metric, or whose name speaks of p-values, significance or
    held-out rows, which no training has seen. The name alone would mislead. Does not catch a quantity under any other
    wrong name."""
    slugs = {name: name for name in manifest.metrics}
    slugs |= {re.sub(r"[^a-z0-9]+", "_", spec.label.lower()): name for name, spec in manifest.metrics.items()}
    for name in reported:
        called = (
            m for slug, m in slugs.items() if re.fullmatch(rf"(?:{_FILLING}_)*{re.escape(slug)}(?:_{_FILLING})*", name)
        )
        if metric := next(called, ""):
            yield f"the diagnostic {name} bears the name of the metric {metric}, which only the runner measures"
        elif _CLAIMS.search(name):
            yield f"the diagnostic {name} speaks of a test or of held-out rows, which no training has seen"
