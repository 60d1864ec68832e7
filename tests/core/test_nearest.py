"""A mistyped name is answered with the one that was probably meant, wherever names are typed."""

import pytest

from agent.app.names import template_folder
from agent.core.errors import UserError
from agent.core.ideas import find_idea
from agent.core.nearest import did_you_mean, nearest
from agent.core.program import Places
from agent.storage.workspace import Workspace
from tests.support import ROOT


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("hierarchial", "hierarchical_sae"), ("TOPK", "topk"), ("grouped", "grouped_latents"), ("zzz", "")],
)
def test_what_is_near_is_named_and_nothing_else(typed, meant):
    assert nearest(typed, ["hierarchical_sae", "topk", "grouped_latents"]) == meant
    assert did_you_mean(typed, [meant]) == (f"; did you mean {meant}?" if meant else "")


@pytest.mark.parametrize(
    ("find", "meant"),
    [
        (lambda: find_idea("hierarchical_sea", ROOT / "ideas"), "hierarchical_sae"),
        (lambda: template_folder("synth-sae", Places(ROOT, ROOT)), "synth_sae"),
    ],
)
def test_ideas_and_templates(find, meant):
    with pytest.raises(UserError, match=f"not found.*; did you mean {meant}"):
        find()


def test_sessions_by_any_part_of_their_name_that_is_theirs_alone(tmp_path):
    for name in ("20260101_000000_tiny_idea", "20260102_000000_other", "20260103_000000_other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.jsonl").touch()
    found = Workspace(tmp_path)
    assert found.find("tiny").root.name == found.find("20260101").root.name == "20260101_000000_tiny_idea"
    assert found.find("20260103_000000_other") == found.find("last")
    with pytest.raises(UserError, match="means 20260102_000000_other and 20260103_000000_other"):
        found.find("other")
    with pytest.raises(UserError, match="not found.*; did you mean tiny_idea?"):
        found.find("tiny_iedae")
