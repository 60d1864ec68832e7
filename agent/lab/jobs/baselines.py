"""Baseline results, kept per template, profile, code, data and machine, so that sessions share them."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from agent.core.record import Job, JobResult
from agent.core.template import load_template
from agent.lab.built import file_sha256
from agent.storage.atomic import write_text


class BaselineCache:
    """Where the result of one baseline job lies for other sessions to find."""

    def __init__(self, folder: Path, job: Job, where: str = "") -> None:
        """`where`: the part of a cluster that the baseline is trained on; this machine where it is empty."""
        self._folder, self._job, self._where = folder, job, where or platform.node()

    def load(self) -> JobResult | None:
        """The result, None where there is none that can be read: the baseline is trained then."""
        try:
            found = JobResult.model_validate_json(self._path.read_bytes())
        except (OSError, ValueError):
            return None
        return found.model_copy(update={"key": self._job.key})

    def store(self, result: JobResult) -> None:
        write_text(self._path, result.model_dump_json())

    @cached_property
    def _path(self) -> Path:
        job = self._job
        protected = sorted(Path(job.template).rglob("*.py")) + [Path(job.template) / "manifest.toml"]
        identity = [
            Path(job.code, job.script).read_text(),
            [path.read_text() for path in protected],
            *self._other_files(),
            self._library(),
            Path(job.train_data).parent.name,  # names what is in it; where the cache lies does not matter
            *([[folder.name for folder in job.data_folders[1:]]] if job.worlds else []),
            job.settings,
            job.seeds,
            [c.model_dump() for c in job.conditions],
            job.device,
            job.threads,
            job.sandbox,
            self._where,
            platform.machine(),
            version("torch"),
            *([job.environment.key] if job.environment else []),
            *([job.pretrained.sha256] if job.pretrained else []),
            *([job.saebench.asked.model_dump(), job.saebench.environment.key] if job.saebench else []),
        ]
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]
        return self._folder / f"{Path(job.template).name}-{Path(job.script).stem}-{digest}.json"

    def _other_files(self) -> list[list[str]]:
        """Hashes of what a template brings along besides Python files."""
        template = load_template(Path(self._job.template))
        places = {name: template.path(name) for name in template.manifest.assets}
        places |= {name: Path(self._job.code, name) for name in template.manifest.editable}
        others = sorted(name for name in places if not name.endswith(".py") or template.manifest.command)
        return [[f"{name} {file_sha256(places[name])}" for name in others]] if others else []

    def _library(self) -> list[tuple[str, str]]:
        """What the script may import."""
        code = Path(self._job.code)
        return [
            (path.relative_to(code).as_posix(), path.read_text())
            for path in sorted(code.glob("*/*.py"))
            if path.parent.name != "baselines"
        ]
