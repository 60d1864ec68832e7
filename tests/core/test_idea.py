"""Ideas: both forms of the field, and one clear line for what is wrong."""

import json
import os

import pytest

from agent.core.errors import UserError
from agent.core.given import json_given, place_given
from agent.core.ideas import all_ideas, find_idea, read_ideas
from agent.core.template import load_template

SHORT = {
    "Name": "a_b",
    "Title": "T",
    "Experiment": "E",
    "Interestingness": 8,
    "Feasibility": 6,
    "Novelty": 9,
    "novel": True,
}
LONG = SHORT | {
    "Name": "long",
    "Technical_Details": "L = x",
    "Implementation_Plan": "1.",
    "Novelty_Evaluation": "n",
    "Research_Impact": 9,
    "Overall_Score": 9.2,
    "Abstract": "We ...",
}


def save(tmp_path, data, name="ideas.json"):
    path = tmp_path / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_the_short_and_the_long_form_are_read_and_unknown_keys_kept(tmp_path):
    ideas = read_ideas(save(tmp_path, [SHORT, LONG | {"Mood": "good"}]))
    assert [i.Name for i in ideas] == ["a_b", "long"]
    assert ideas[1].model_dump()["Mood"] == "good"


def test_an_idea_is_found_by_name_and_by_path(tmp_path):
    path = save(tmp_path, [SHORT, LONG])
    assert find_idea("long", tmp_path).Name == "long"
    assert find_idea(f"{path}:a_b", tmp_path).Name == "a_b"


def test_the_shipped_ideas_are_all_readable():
    from agent.core.paths import HOME

    ideas, complaints = all_ideas(HOME / "ideas")
    assert not complaints
    assert "hierarchical_sae" in {i.Name for i in ideas}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "empty list"),
        ("[1]", "JSON object"),
        ({"Name": "x", "Title": "T"}, "Experiment"),
        ({**SHORT, "Name": "a b/c"}, "Name"),
        ({**SHORT, "Novelty": "high"}, "Novelty"),
        ([SHORT, SHORT], "twice"),
        ('{"Name": "x", "Title": "T", "Title": "U", "Experiment": "E"}', "'Title' stands there twice"),
        ('{"Name": "x", "Title": "T", "Experiment": "E", "Own": {"a": 1, "a": 2}}', "'a' stands there twice"),
        ('{"Name": "x", "Title": "T", "Experiment": "E", "Novelty": ' + "9" * 6000 + "}", "4300 digits"),
        ('{"Name": "x", "Title": "T", "Experiment": "E", "Own": NaN}', "NaN"),
        ('{"Name": "x", "Title": "T", "Experiment": "E", "Own": "\\ud800"}', "surrogates"),
        ('{"Name": "x", "Title": "T", "Experiment": "E", "Own": ' + "[" * 900 + "]" * 900 + "}", "deeper than"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_wrong_input_is_one_line_with_file_and_field(tmp_path, data, said):
    path = save(tmp_path, data)
    with pytest.raises(UserError) as error:
        read_ideas(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "not a plain file"),
        (os.mkdir, "a folder"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: path.symlink_to("/dev/zero"), "not a plain file"),
        (lambda path: (path.touch(), os.truncate(path, 1 << 40)), "MB are read"),
    ],
    ids=["pipe", "folder", "circle of links", "device", "endless"],
)
def test_what_is_no_plain_file_is_said_at_once_and_nobody_waits_for_it(tmp_path, make, said):
    make(path := tmp_path / "idea.json")
    make(tmp_path / "manifest.toml")
    for read in (read_ideas, json_given, lambda path: load_template(path.parent)):
        with pytest.raises(UserError, match=said):
            read(path)


def test_a_circle_of_links_and_a_file_are_no_place_for_a_workspace(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="circle"):
        place_given(tmp_path / "circle" / "ws", "--workspace")
    with pytest.raises(UserError, match="not a folder"):
        place_given(tmp_path / "file", "--workspace")
    assert place_given(tmp_path / "new", "--workspace") == tmp_path / "new"


def test_a_name_that_is_not_there_lists_those_that_are(tmp_path):
    save(tmp_path, [SHORT, LONG])
    with pytest.raises(UserError, match="a_b, long"):
        find_idea("nowhere", tmp_path)
