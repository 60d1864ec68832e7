"""The runner's side of sae-bench: starts the worker, answers its requests, takes its results, and bounds its time.

Not here: the encoding (agent/lab/measuring/saebench.py passes it in), and the names of the results (catalogue.py).
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.errors import InfrastructureError
from agent.lab.worlds import TOKENS, without_tokens

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

WORKER = Path(__file__).with_name("worker")
POLL_S = 0.05
MAX_LINE = 1 << 20
LOG_TAIL = 600  # characters
# The environment variables that the worker gets: no keys but those of the hub, which gated models need.
PASSED = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    *TOKENS,
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_DATASETS_CACHE",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "HF_DATASETS_OFFLINE",
    "XDG_CACHE_HOME",
)
QUIET = {
    "GIT_DIR": os.devnull,  # sae-bench would record the commit of any repository above its folder as its own
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_MININTERVAL": "10",
    "JAXTYPING_DISABLE": "1",  # with the locked beartype, annotations of sparse probing contradict each other
}
AT_START = dict(os.environ)  # because measuring sets HF_HUB_OFFLINE in its own process later
Encode = Callable[["np.ndarray"], "csr_matrix"]
Judge = Callable[[list[dict[str, str]]], str]


def evaluate(
    python: str,
    request: Mapping[str, Any],
    folder: Path,
    wall_s: float,
    encode: Encode,
    idle: Callable[[], None],
    judge: Judge | None = None,
    worker: Path = WORKER,
) -> dict[str, dict[str, Any]]:
    """Run the worker; returns the metrics in sae-bench's own result files, by evaluation.

    Args:
        python: the interpreter of sae-bench's environment.
        request: what the worker is to do (worker/evals.py).
        folder: empty; the worker's working directory. Its log is written beside it.
        encode: rows [n, d_in] -> latents [n, d_sae], scaled for unit decoder rows; an exception ends the evaluation.
        idle: called often while the worker computes; an exception ends the evaluation.
        judge: answers messages in OpenAI's form, for the evaluation that asks a language model.

    Raises:
        InfrastructureError: the worker failed, or took longer than wall_s.
    """
    log = folder.with_suffix(".log")
    env = {name: AT_START[name] for name in PASSED if name in AT_START}
    env |= {**QUIET, **{name: str(request["threads"]) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}}
    with open(log, "wb") as errors:
        process = subprocess.Popen(
            [python, "-I", str(worker)],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        talk = _Talk(process, time.monotonic() + wall_s, idle, log)
        talk.send(json.dumps({**request, "parent": os.getpid()}).encode() + b"\n")
        return _served(talk, int(request["d_in"]), encode, judge)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def _served(talk: _Talk, d_in: int, encode: Encode, judge: Judge | None) -> dict[str, dict[str, Any]]:
    """Answer the worker's messages until it is done; returns its results by evaluation."""
    import numpy as np

    results: dict[str, dict[str, Any]] = {}
    while not (message := talk.line()).get("done"):
        if "encode" in message:
            rows = np.frombuffer(talk.receive(4 * d_in * message["encode"]), "<f4").reshape(-1, d_in)
            talk.send(_framed(encode(rows)))
        elif "judge" in message and judge is None:
            raise InfrastructureError(
                f"an evaluation of sae-bench needs a judge, and the profile names none (log: {talk.log})"
            )
        elif "judge" in message and judge is not None:
            talk.send(json.dumps({"reply": judge(message["judge"])}).encode() + b"\n")
        elif "failed" in message:
            raise InfrastructureError(
                f"sae-bench, {message['failed']}: {without_tokens(message['why'])} (log: {talk.log})"
            )
        else:
            results[message["eval"]] = message["metrics"]
    return results


def _framed(latents: csr_matrix) -> bytes:
    """Latents as worker/channel.py reads them."""
    import numpy as np

    latents.sort_indices()
    counts = np.diff(latents.indptr).astype("<u4")
    head = json.dumps({"latents": int(latents.nnz)}).encode() + b"\n"
    return head + counts.tobytes() + latents.indices.astype("<u4").tobytes() + latents.data.astype("<f4").tobytes()


class _Talk:
    """Lines and bytes to and from the worker. While it waits, it calls `idle`, and it stops at the deadline."""

    def __init__(self, process: subprocess.Popen[bytes], deadline: float, idle: Callable[[], None], log: Path) -> None:
        assert process.stdin and process.stdout
        self._process, self._deadline, self._idle, self.log = process, deadline, idle, log
        self._writes, self._reads = process.stdin, process.stdout
        self._got = bytearray()
        self._next_look = 0.0
        for pipe in (self._writes, self._reads):
            os.set_blocking(pipe.fileno(), False)

    def send(self, data: bytes) -> None:
        """Write all of the data to the worker."""
        rest = memoryview(data)
        while rest:
            self._wait(reading=False)
            try:
                rest = rest[os.write(self._writes.fileno(), rest[: 1 << 16]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._gone() from None

    def line(self) -> dict[str, Any]:
        """Read one message."""
        while (end := self._got.find(b"\n")) < 0:
            if len(self._got) > MAX_LINE:
                raise InfrastructureError(f"sae-bench's worker sends no lines (log: {self.log})")
            self._more()
        found = json.loads(self._got[:end])
        del self._got[: end + 1]
        return found

    def receive(self, size: int) -> bytes:
        """Read so many bytes behind a message."""
        while len(self._got) < size:
            self._more()
        found = bytes(self._got[:size])
        del self._got[:size]
        return found

    def _more(self) -> None:
        self._wait(reading=True)
        try:
            piece = os.read(self._reads.fileno(), 1 << 20)
        except BlockingIOError:
            return
        if not piece:
            raise self._gone()
        self._got += piece

    def _wait(self, *, reading: bool) -> None:
        """Wait until the pipe is ready."""
        pipe = self._reads if reading else self._writes
        while True:
            ready = select.select([pipe] if reading else [], [] if reading else [pipe], [], POLL_S)
            if (now := time.monotonic()) >= self._next_look:
                self._next_look = now + POLL_S
                self._idle()
            if now > self._deadline:
                raise InfrastructureError(
                    f"sae-bench took longer than its wall_s allows (log: {self.log}); raise "
                    "saebench.wall_s in the profile, or ask for fewer evaluations"
                )
            if ready[0] or ready[1]:
                return

    def _gone(self) -> InfrastructureError:
        """The error for a worker that has ended, with the end of its log."""
        code = self._process.wait()
        said = " ".join(without_tokens(self.log.read_text(errors="replace")).split())[-LOG_TAIL:]
        return InfrastructureError(f"sae-bench's worker ended with status {code} (log: {self.log}): {said}")
