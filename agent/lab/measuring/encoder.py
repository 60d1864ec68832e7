"""The process that encodes: the agent's model and code in a sandbox that sees neither data nor truth.

Not here: what it is asked and what is believed of its answers (encoding.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.manifest import Limits, ModelSpec
from agent.core.protocols import Mount, SandboxProcess, SandboxSpec
from agent.lab.measuring import encoding
from agent.lab.measuring.scratch import copy_code, remove
from agent.lab.measuring.verdict import Stopped, encoding_ended

if TYPE_CHECKING:
    from agent.lab.measuring.measure import _OneTraining

WORKER = Path(__file__).with_name("encode_worker.py")


@contextmanager
def started(training: _OneTraining, stage: str, limits: Limits, threads: int = 0) -> Iterator[SandboxProcess]:
    """A fresh one, ended with the block. `training` is measure.py's: it owns settings and paths.

    `threads` 0: as many as a training has.

    Raises:
        Stopped: it ended before its time, or answered what cannot be used.
    """
    paths, model, show = training.paths, training.manifest.model, training.sandbox.visible
    remove(paths.encode_code)
    copy_code(training.job, paths.encode_code, training.manifest)
    code = Mount(paths.encode_code, "/w")
    worker = Mount(WORKER, "/runner/encode_worker.py")
    saved = Mount(paths.kept / training.manifest.artefact, f"/artefact/{training.manifest.artefact}")
    argv = (
        training.python,
        "-P",
        show(worker),
        show(saved),
        str(threads or training.job.threads),
        model.name,
        model.method,
    )
    spec = SandboxSpec(
        argv=argv, cwd=show(code), mounts=(code, worker, saved, *training.trees), limits=limits, env=training.env()
    )
    stderr = paths.text(f"{stage}.stderr")
    process = training.sandbox.start(spec, stdout=None, stderr=stderr, stdin=True)
    try:
        yield process
    except encoding.BadLatents as bad:
        raise Stopped("refused", bad.reason, called(model, str(bad))) from None
    except encoding.Ended as ended:
        stop = encoding_ended(ended.end, stderr)
        raise Stopped(stop.outcome, stop.reason, called(model, stop.detail)) from None
    finally:
        process.kill()


def called(model: ModelSpec, text: str) -> str:
    """Remarks are worded for an SAE; another template's class and outputs have names of their own."""
    if model.outputs is not None:
        text = text.replace("latents", "outputs").replace("W_dec has", "the template asks for")
    return text.replace("SAE.encode", model.call).replace("SAE.load", f"{model.name}.load")
