"""Evaluates a measured autoencoder with sae-bench, whose worker process asks for latents that a box computes.

At the end, a sample of the rows is encoded again by a fresh process in another order, because the encoder must be a
function of each row alone here too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.errors import InfrastructureError
from agent.core.exchange import Message
from agent.core.methods import Method
from agent.core.protocols import Model
from agent.core.record import SaeBenchJob
from agent.core.saebench import CHATS, FORGET_CORPUS
from agent.lab.measuring import box, repeat
from agent.lab.measuring.artefact import Artefact
from agent.lab.measuring.bench import Bench
from agent.lab.measuring.scratch import remove
from agent.lab.measuring.turns import turn
from agent.lab.measuring.verdict import Account, Stopped, check_metrics
from agent.lab.saebench import catalogue, client
from agent.storage.cache import TURN

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

JUDGE_S = 120.0  # for one answer of the judge
KEPT_ROWS = 32  # rows of one request that may be encoded again
KEPT = 64  # requests of which rows are encoded again


def measure(bench: Bench, wanted: SaeBenchJob, artefact: Artefact, account: Account) -> None:
    """Add sae-bench's metrics to the account.

    Raises:
        Stopped: the encoder failed or gave other latents the second time, or a metric is impossible.
        InfrastructureError: sae-bench failed, or took too long.
    """
    folder = bench.paths.root / "saebench"
    scratch = folder / "scratch"
    remove(folder)
    scratch.mkdir(parents=True)
    limits = bench.job.evaluate_limits.model_copy(update={"wall_s": wanted.asked.wall_s})
    threads = bench.job.threads * bench.job.slots  # one autoencoder is evaluated at a time, with the threads of all
    with (
        turn(Path(wanted.shared) / TURN, bench.cancelled),  # each holds a language model, and they share probes
        box.started(bench, "saebench", _methods(bench, artefact), limits=limits, threads=threads) as answers,
    ):
        asked = _Asked(bench, answers, artefact)
        results = client.evaluate(
            wanted.environment.python,
            _request(bench, wanted, artefact, folder),
            scratch,
            wanted.asked.wall_s,
            asked.latents,
            answers.look,
            judge_of(wanted.asked.judge, folder),
        )
    asked.check_again()
    remove(scratch)
    found = catalogue.metrics(results)
    check_metrics(found, catalogue.specs(wanted.asked.evals))
    account.metrics |= found


def judge_of(name: str, folder: Path, model: Model | None = None) -> client.Judge | None:
    """A function that asks the language model `name`, and keeps each exchange in the folder; None without a name.

    `model` answers in its place, for tests.
    """
    if not name:
        return None
    from agent.llm.calls import RecordedCalls
    from agent.llm.litellm_model import LiteLLMModel

    inner = model or LiteLLMModel({"reviewer": name}, timeout_s=JUDGE_S, notify=print)
    calls = RecordedCalls(inner, folder / "judge", lambda record: None, lambda *seconds: None)

    def judge(messages: list[dict[str, str]]) -> str:
        return calls.ask("saebench.judge", "reviewer", [_message(m) for m in messages]).text

    return judge


def _message(said: dict[str, str]) -> Message:
    """A message of sae-bench, which is in OpenAI's form, as one of ours."""
    match said["role"]:
        case "system" | "user" | "assistant" as role:
            return Message(role=role, content=said["content"])
    raise InfrastructureError(
        f"sae-bench sends its judge a message in the role {said['role']!r}; only system, user and assistant exist"
    )


class _Asked:
    """Answers the worker's requests for latents, and keeps a sample of them for `check_again`."""

    def __init__(self, bench: Bench, answers: box.Box, artefact: Artefact) -> None:
        import numpy as np

        self._bench, self._box, self._artefact = bench, answers, artefact
        self._draw = np.random.default_rng(bench.order_seed("saebench"))
        self._kept: list[tuple[np.ndarray, csr_matrix]] = []

    def latents(self, rows: np.ndarray) -> csr_matrix:
        """The latents [n, d_sae] of rows [n, d_in], scaled for unit decoder rows."""
        z = self._encoded(self._box, rows, box.full_batches())
        some = self._draw.permutation(len(rows))[:KEPT_ROWS]
        if len(self._kept) == KEPT:
            self._kept.pop(int(self._draw.integers(KEPT)))
        self._kept.append((rows[some], z[some]))
        return z.multiply(self._artefact.scale).tocsr()

    def check_again(self) -> None:
        """Encode the sample in a fresh process, and refuse the autoencoder if its latents differ."""
        import numpy as np
        from scipy import sparse

        if not self._kept:
            return
        rows, first = np.concatenate([r for r, _ in self._kept]), sparse.vstack([z for _, z in self._kept])
        with box.started(self._bench, "saebench-again", _methods(self._bench, self._artefact)) as again:
            second = self._encoded(again, rows, repeat.varied_batches(self._draw))
        if not repeat.agree(first.tocsr(), second):
            raise Stopped(
                "refused",
                "encode-depends-on-batch",
                "encoding some of the rows of sae-bench a second time, in another order and other batches, gave "
                f"other latents. {self._bench.manifest.model.call} must be a function of each row alone: no "
                "statistics over the batch, no state.",
            )

    def _encoded(self, answers: box.Box, rows: np.ndarray, sizes: Iterator[int]) -> csr_matrix:
        (method,) = answers.methods
        return answers.rows(method, [rows.astype("float32")], self._draw.permutation(len(rows)), sizes)[0]


def _methods(bench: Bench, artefact: Artefact) -> dict[str, Method]:
    """The encoder, without a bound on active latents: on tokens like none in training, all may be active."""
    width = len(artefact.decoder)
    return {bench.manifest.model.method: bench.manifest.model.rows("latents", width, width)}


def _request(bench: Bench, wanted: SaeBenchJob, artefact: Artefact, folder: Path) -> dict[str, Any]:
    import numpy as np

    job, settings, asked = bench.job, bench.settings, wanted.asked
    arrays = folder / "scratch" / "decoder.npz"
    np.savez(arrays, decoder=artefact.decoder, bias=artefact.bias)
    name, shared = _place(wanted, settings)
    return {
        **({"unlearning": _unlearning(wanted, settings["dtype"])} if asked.instruct else {}),
        "evals": {one: asked.settings.get(one, {}) for one in asked.evals},
        "model": str(settings["model"]),
        "model_name": name,
        "hook_name": settings["hook_name"],
        "dtype": settings["dtype"],
        "d_in": artefact.decoder.shape[1],
        "d_sae": artefact.decoder.shape[0],
        "device": job.device,
        "threads": job.threads,
        "decoder": str(arrays),
        "data": asked.data,
        "shared": str(shared),
        "details": str(folder),
    }


def _place(bench: SaeBenchJob, settings: dict[str, Any]) -> tuple[str, Path]:
    """A name for the model that is the same for the same weights, and the folder that its autoencoders share."""
    name = _named(bench, str(settings["model"]), settings["dtype"])
    folder = Path(bench.shared) / name / str(settings["hook_name"])
    folder.mkdir(parents=True, exist_ok=True)
    return name, folder


def _unlearning(bench: SaeBenchJob, dtype: str) -> dict[str, str]:
    """What the evaluation of unlearning needs: the instruct model, the form of its chats, the corpus, and a folder.

    The folder keeps what the model knows, which is the same for autoencoders at all its hooks.
    """
    source = bench.asked.instruct
    own = Path(source).name
    form = own if own in CHATS else CHATS[0]
    folder = Path(bench.shared) / _named(bench, source, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "model": source,
        "called": own if own == form else f"{own}-as-{form}",
        "form": form,
        "corpus": str(Path(bench.asked.data) / FORGET_CORPUS),
        "shared": str(folder),
    }


def _named(bench: SaeBenchJob, model: str, dtype: str) -> str:
    """The model's name with a hash of its weights' size and time, its type, and sae-bench's environment and options."""
    source = Path(model)
    weights = source / "model.safetensors"
    identity: list[object] = [model, dtype, bench.environment.key, sorted(bench.asked.settings.items())]
    if weights.is_file():
        about = weights.stat()
        identity += [about.st_size, about.st_mtime_ns]
    return f"{source.name}-{hashlib.sha256(repr(identity).encode()).hexdigest()[:12]}"
