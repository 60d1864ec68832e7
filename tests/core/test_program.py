"""Where a person's own templates and ideas are looked up, and where those that come with the program."""

import json

from agent.app.listing import recordings
from agent.app.names import named_idea, template_folder
from agent.core.ideas import all_ideas
from agent.core.program import Places, places
from tests.support import ROOT


def an_idea(folder, title, name="an_idea"):
    (folder / "ideas").mkdir(parents=True, exist_ok=True)
    (folder / "ideas" / f"{name}.json").write_text(json.dumps({"Name": name, "Title": title, "Experiment": "Try."}))


def test_a_checkout_keeps_everything_in_itself():
    assert places() == Places(ROOT, ROOT) and places().under("ideas") == (ROOT / "ideas",)


def test_a_persons_own_idea_hides_a_shipped_one_of_its_name(tmp_path):
    where = Places(tmp_path / "own", tmp_path / "shipped")
    an_idea(where.own, "Mine")
    an_idea(where.shipped, "Theirs")
    an_idea(where.shipped, "Another", "another")

    ideas, complaints = all_ideas(*where.under("ideas"))
    assert [idea.Title for idea in ideas] == ["Mine", "Another"] and not complaints
    assert named_idea("an_idea", None, where).Title == "Mine"
    assert named_idea("another", None, where).Title == "Another"


def test_a_persons_own_template_hides_a_shipped_one_of_its_name(tmp_path):
    where = Places(tmp_path, ROOT)
    assert template_folder("synth_sae", where) == ROOT / "templates" / "synth_sae"
    assert recordings("hierarchical_sae", where) == ["lm_sae", "synth_sae"]

    own = tmp_path / "templates" / "synth_sae"
    own.mkdir(parents=True)
    (own / "manifest.toml").touch()
    assert template_folder("synth_sae", where) == own
    assert recordings("hierarchical_sae", where) == ["lm_sae"]
