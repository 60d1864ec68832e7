"""Reads the session's committed records and checks that none was changed; `Facts` (paper/evidence) answers from
them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.record import RunRecord
from agent.session.states import RunState
from agent.session.tools import Tools
from paper.evidence.facts import Facts


def session_facts(tools: Tools, *added: RunRecord) -> Facts:
    """The facts of all runs that have ended, measured or failed, for notes, prompts and the paper.

    `added` are records of runs whose end is not in the session's log yet.

    Raises:
        InfrastructureError: a record is missing or was changed.
    """
    new = {record.run for record in added}
    over = [run for run in tools.session.runs.values() if run.over and run.run not in new]
    records = [*(read_record(tools.paths.repo / "records" / f"{run.run}.json", run) for run in over), *added]
    return Facts(records, tools.template.manifest, tools.session.options.profile)


def read_record(path: Path, run: RunState) -> RunRecord:
    """The record of a run that has ended.

    Raises:
        InfrastructureError: it is missing, or its hash is not the one in the session's log.
    """
    fix = f"restore it with: git -C {path.parent.parent} checkout records/{path.name}"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InfrastructureError(f"{path}: the record is missing; {fix}") from None
    if run.measured and hashlib.sha256(data).hexdigest() != run.measured.record_sha256:
        raise InfrastructureError(f"{path}: changed since run {run.run} was measured (its hash differs); {fix}")
    return RunRecord.model_validate_json(data)
