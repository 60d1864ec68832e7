"""The command in the appendix makes the same session again, and gives away no folder of the machine."""

from pathlib import Path

from agent.app.arguments import parse
from agent.core.options import ROLES, Models, Options
from agent.core.program import HOME
from agent.publishing.colophon import command
from agent.session.session import Session
from tests.support.dice import IDEA


def said(**chosen):
    options = {
        "template": str(HOME / "templates/synth_sae"),
        "profile": "demo",
        "baselines": ("topk",),
        "models": Models(**dict.fromkeys(ROLES, "openai/x")),
    } | chosen
    return command(Session(session="s", idea=IDEA, options=Options(**options)))


def test_every_choice_that_matters_is_in_it():
    words = said(attempts=2, improve=1, skip_novelty=True, sandbox="none", literature="offline").split()

    found = parse(words[1:])
    assert (found.template, found.profile, found.baselines, found.attempts, found.improve, found.model) == (
        "synth_sae",
        "demo",
        "topk",
        2,
        1,
        "openai/x",
    )
    assert found.skip_novelty and found.unsafe_no_sandbox and found.literature == "offline"


def test_what_lies_elsewhere_is_named_without_its_path(tmp_path):
    words = said(template=str(tmp_path / "mine"), playback=str(Path("/secret/replies")))

    assert str(tmp_path) not in words and "/secret" not in words
    assert "--idea idea.json" in words and "--template path/to/mine" in words and "--playback path/to/replies" in words
