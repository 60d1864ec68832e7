"""records.json: what the agent's plot.py gets to draw from, and a short example of it for the prompt."""

from __future__ import annotations

import json
from typing import Any

from agent.core.looks import looks
from agent.publishing.records import session_facts
from agent.session.tools import Tools
from paper.evidence.series import series_of


def plot_records(tools: Tools) -> str:
    """The text of records.json: each explored run with its look, and its results by metric and condition."""
    manifest, facts = tools.template.manifest, session_facts(tools)
    look = looks(facts.records)
    entries = []
    for record in facts.explored:
        metrics = {
            name: {
                c.name: {"mean": found.mean, "se": found.se, "n": found.n, "values": found.values}
                for c in record.conditions
                if (found := series_of(record, name, c.name))
            }
            for name in manifest.metrics
        }
        said = sorted({key for t in record.trainings for key in t.diagnostics})
        entries.append(
            {
                "run": record.run,
                "name": record.name,
                "label": record.label,
                "kind": record.kind,
                "status": record.status,
                "look": look[record.run],
                "conditions": [c.model_dump() for c in record.conditions],
                "targets": {
                    name: aim
                    for name in manifest.metrics
                    if (aim := manifest.aim(name, record.settings, record.conditions)) is not None
                },
                "metrics": metrics,
                "metric_labels": {name: spec.label for name, spec in manifest.metrics.items()},
                "diagnostics": {
                    key: [t.diagnostics[key] for t in record.trainings if key in t.diagnostics] for key in said
                },
                "curves": [{"seed": t.seed, "condition": t.condition, **t.curves} for t in record.trainings],
            }
        )
    return json.dumps(entries, indent=1) + "\n"


def shortened(value: Any, most: int = 4) -> Any:
    """The same value with only the first `most` items of each list, and of metrics and diagnostics."""
    if isinstance(value, list):
        rest = [f"... {len(value)} in all"] if len(value) > most else []
        return [*(shortened(one) for one in value[:most]), *rest]
    if not isinstance(value, dict):
        return value
    known = {key: shortened(one) for key, one in value.items()}
    for name in ("metrics", "metric_labels", "diagnostics"):
        if len(known.get(name, ())) > most:
            first = dict(list(known[name].items())[:most])
            known[name] = {**first, "...": f"{len(value[name])} in all: {', '.join(value[name])}"}
    return known
