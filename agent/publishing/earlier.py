"""Reads a finished session for a new one that continues it (`--after`): its best code and its results.

Results are taken from the records. Of a model's words only what each run was planned to change is taken. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.earlier import EARLIER, Earlier
from agent.core.errors import InfrastructureError, UserError
from agent.core.manifest import Manifest
from agent.core.paths import SessionPaths
from agent.core.record import RunRecord
from agent.core.template import Template, parse_manifest
from agent.lab.saebench.catalogue import measured_at
from agent.publishing import digest
from agent.publishing.records import read_record
from agent.publishing.verify.trust import ask_for_trust, is_ours
from agent.session.session import Session, stage
from agent.storage import foreign
from agent.storage.git_reader import BrokenRepository, GitReader
from agent.storage.workspace import read_session
from paper.evidence.confirmed import confirmation
from paper.evidence.facts import Facts

MANIFEST = "template/manifest.toml"
TOLD = 10  # most sessions before the earlier one that are described, a line each
ABOUT = 400  # characters of what the best run changed
LEFT_OUT = "its code is trained here (in the sandbox), and the planner reads its records"


def read_earlier(paths: SessionPaths, *, trust: bool = False) -> tuple[Earlier, Session]:
    """What a new session takes over from a finished one, and the state of the finished one.

    Args:
        trust: accept a session that this installation did not make.

    Raises:
        UserError: the session is not finished, has no measured experiment, cannot be read, or needs `trust`.
    """
    name = paths.root.name
    try:
        session = read_session(paths)
        if not session.finished:
            raise UserError(f"--after {name}: it is not finished (stage: {stage(session)}); resume it first")
        if not is_ours(paths, session.first_commit):
            ask_for_trust(name, LEFT_OUT, trust)
        manifest = parse_manifest(foreign.read(paths.repo.resolve(), MANIFEST), MANIFEST)
        over = [run for run in session.runs.values() if run.over]
        records = [read_record(paths.repo / "records" / f"{run.run}.json", run) for run in over]
        facts = Facts(records, measured_at(manifest, session.options.profile), session.options.profile)
        best = facts.described if facts.measured else None
        if best is None or best.kind != "experiment":
            raise UserError(f"--after {name}: none of its experiments was measured, so there is no code to start from")
        code = _code(GitReader(paths.repo / ".git"), best, facts.manifest)
    except (InfrastructureError, BrokenRepository, foreign.Foreign, ValueError, KeyError) as error:
        raise UserError(f"--after {name}: it cannot be read: {error}") from None
    return _earlier(name, session, facts, best, code), session


def check_fits(earlier: Earlier, template: Template) -> None:
    """Check that the earlier session's code is code of this template.

    Raises:
        UserError: it belongs to another template, or the template's editable files have changed.
    """
    manifest = template.manifest
    if manifest.name != earlier.template:
        raise UserError(
            f"--after {earlier.session}: it worked on the template {earlier.template}, and this session is to work on "
            f"{manifest.name}; leave --template out"
        )
    if set(manifest.editable) != set(earlier.code):
        there, here = ", ".join(sorted(earlier.code)), ", ".join(sorted(manifest.editable))
        raise UserError(f"--after {earlier.session}: the template let {there} be edited then, and {here} now")


def _code(repo: GitReader, best: RunRecord, manifest: Manifest) -> dict[str, str]:
    """The editable files of the best run's commit, by name."""
    blobs = repo.blobs([(best.commit, name) for name in manifest.editable])
    if any(blob is None for blob in blobs):
        raise BrokenRepository(f"commit {best.commit[:8]} does not hold {', '.join(manifest.editable)}")
    return {name: (blob or b"").decode("utf-8", "replace") for name, blob in zip(manifest.editable, blobs, strict=True)}


def _earlier(name: str, session: Session, facts: Facts, best: RunRecord, code: dict[str, str]) -> Earlier:
    before = session.earlier
    arms = facts.confirmations
    planned = session.confirmation
    worlds = planned.worlds if planned and planned.best is not None else 0
    return Earlier(
        session=name,
        title=session.idea.Title,
        template=facts.manifest.name,
        profile=session.options.profile,
        data_key=session.data_key or "",
        seeds=len(facts.manifest.profiles[session.options.profile].seeds),
        run=best.run,
        label=best.label,
        about=before.about if before and best.name == EARLIER else digest.short(best.about, ABOUT),
        commit=best.commit,
        code=code,
        confirmation=confirmation(facts).text,
        runs=tuple(digest.runs(session, facts)),
        tried=len(facts.experiments) - _carried(facts.experiments) + (before.tried if before else 0),
        before=(*before.before, _told(before))[-TOLD:] if before else (),
        worlds=worlds + (before.worlds if before else 0),
        last_seed=max((seed for arm in arms for seed in arm.seeds), default=before.last_seed if before else -1),
    )


def _carried(experiments: Sequence[RunRecord]) -> int:
    """How many of these experiments repeat the best run of an earlier session."""
    return sum(record.name == EARLIER for record in experiments)


def _told(before: Earlier) -> str:
    return f"{before.session} (profile {before.profile}): best run {before.label}; {before.confirmation}"
