"""The command review: several reviewers and an area chair, played by a model, review any PDF without a session."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from agent.app import choices
from agent.app.bounds import Spent
from agent.app.exits import DONE, INFRASTRUCTURE
from agent.app.one_model import model_for
from agent.app.wording import compact
from agent.core.errors import BudgetSpent, InfrastructureError, UserError
from agent.core.protocols import Model, Sandbox
from agent.core.reviews import MetaWords, tally
from agent.llm.calls import CallRecord, RecordedCalls
from agent.publishing.review.ensemble import ask_meta, ask_review
from agent.publishing.review.page import ensemble, texts, usable
from agent.publishing.review.pdf import UnreadablePdf, read_words
from agent.sandbox import harvest
from agent.session.events import PaperReviewed, ReviewGiven
from agent.storage.atomic import write_text
from agent.storage.temporary import TemporaryFolder


def review(args: argparse.Namespace) -> int:
    """Reviews the PDF, writes the review as JSON and as Markdown, prints its summary, and returns the exit status.

    Raises:
        UserError: the PDF, the model or the folder of --out cannot be used.
        InfrastructureError, BudgetSpent: the calls were stopped; the reviews that were given before are written.
    """
    pdf, count = Path(args.operand), choices.value("reviews", args.reviews)
    out = Path(args.out) if args.out else pdf.parent
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: {error.strerror}; name another folder with --out") from None
    model = model_for(args, "reviewer", "--review")
    try:
        text = read_words(pdf, _sandbox(args.unsafe_no_sandbox))
    except UnreadablePdf as why:
        raise UserError(f"--review {pdf}: {why}; give a PDF that holds text") from None
    print(
        f"{pdf.name}: {compact(len(text))} characters; {count + 1} calls, about "
        f"{compact((len(text) / 4 + 1500) * count + 4000)} tokens",
        flush=True,
    )
    spent, asked = Spent(args.max_usd, args.max_tokens), set[tuple[str, int]]()

    def heard(call: CallRecord) -> None:
        spent.add(call)
        asked.add((call.step, call.ordinal))

    with TemporaryFolder("review") as folder:
        calls = RecordedCalls(model, Path(folder), heard, spent.check)
        try:
            status = _review(calls, count, text, pdf, out)
        finally:
            print(f"{compact(spent.tokens)} tokens, {spent.cost}", flush=True)
    _strict_end(model, asked)
    return status


def _review(calls: RecordedCalls, count: int, text: str, pdf: Path, out: Path) -> int:
    given, meta = list[ReviewGiven](), None
    try:
        for number in range(1, count + 1):
            found, failed = ask_review(calls.ask, "", number, text, own=False)
            given.append(ReviewGiven(at=time.time(), revision=0, number=number, review=found, failed=failed))
            said = f"{found.overall} of 10, {found.decision}" if found else f"failed ({failed})"
            print(f"review {number} of {count}: {harvest.one_line(said, 200)}", flush=True)
        words, failed = None, "no reviewer gave a usable answer"
        if usable(given):
            words, failed = ask_meta(calls.ask, "", usable(given), count, None)
        meta = _meta(given, words, failed)
    except (BudgetSpent, InfrastructureError) as stopped:
        meta = _meta(given, None, str(stopped))
        raise
    finally:
        if meta and given:
            _write(given, meta, pdf, out)
    return DONE if usable(given) else INFRASTRUCTURE


def _meta(given: list[ReviewGiven], words: MetaWords | None, failed: str) -> PaperReviewed:
    numbers = tally(usable(given))
    return PaperReviewed(
        at=time.time(),
        overall=numbers.overall if numbers else None,
        words=words,
        failed=failed,
        commit="",
        decision=numbers.decision if numbers else "none",
    )


def _write(given: list[ReviewGiven], meta: PaperReviewed, pdf: Path, out: Path) -> None:
    account = {"title": pdf.name, **ensemble(given, meta)}
    json_text, page = texts(account).values()
    files = {out / f"{pdf.stem}.review.json": json_text, out / f"{pdf.stem}.review.md": page}
    for path, text in files.items():
        try:
            write_text(path, text)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; name another place with --out") from None
    print("\n" + page.partition("\n## Reviewer ")[0].strip() + "\n")
    print("Review  " + ", ".join(map(str, files)), flush=True)


def _strict_end(model: Model, asked: set[tuple[str, int]]) -> None:
    """Raises InfrastructureError if replies of a recording were not used."""
    from agent.llm.playback import PlaybackModel

    if isinstance(model, PlaybackModel) and (over := model.leftover(asked)):
        raise InfrastructureError(
            f"playback: these replies were not used: {', '.join(over)} (another number of reviews?)"
        )


def _sandbox(unsafe: bool) -> Sandbox:
    from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox
    from agent.sandbox.probe import probe

    if unsafe:
        return NoSandbox()
    if problems := probe():
        raise UserError(f"sandbox: {problems[0]} (or read the PDF without one: --unsafe-no-sandbox)")
    return BubblewrapSandbox()
