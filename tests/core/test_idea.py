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


def test_the_second_idea_of_a_name_gets_a_number_and_the_first_free_one(tmp_path):
    again = [SHORT, SHORT | {"Title": "U"}, SHORT | {"Name": "a_b_2"}, SHORT | {"Title": "V"}]
    path = save(tmp_path, again)
    assert [i.Name for i in read_ideas(path)] == ["a_b", "a_b_2", "a_b_2_2", "a_b_3"]
    assert find_idea(f"{path}:a_b_2", tmp_path).Title == "U"
    assert find_idea("a_b", tmp_path).Title == "T"


@pytest.mark.parametrize(
    ("experiments", "experiment"),
    [
        (["Train it.", "Then compare."], "1. Train it.\n2. Then compare."),
        ("Train it.", "Train it."),
        ([{"Description": "Train it.", "Metric": "loss"}], "1. Description: Train it.; Metric: loss"),
    ],
)
def test_the_form_of_ai_scientist_v2_is_an_idea_and_all_its_parts_are_told(tmp_path, experiments, experiment):
    second = {
        "Name": "b_c",
        "Title": "T",
        "Short Hypothesis": "Less is more.",
        "Related Work": "Much was more before.",
        "Abstract": "We take less.",
        "Experiments": experiments,
        "Risk Factors and Limitations": ["It may be too little.", "It may take long."],
    }
    [idea] = read_ideas(save(tmp_path, second))
    assert idea.Experiment == experiment
    assert idea.details() == {
        "Short Hypothesis": "Less is more.",
        "Related Work": "Much was more before.",
        "Abstract": "We take less.",
        "Risk Factors and Limitations": "1. It may be too little.\n2. It may take long.",
    }
    assert read_ideas(save(tmp_path, [second, SHORT], "list.json"))[0] == idea


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path):
    (tmp_path / "marked.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(SHORT).encode())
    assert find_idea("a_b", tmp_path).Title == "T"


def test_an_entry_that_is_no_idea_does_not_hide_the_others(tmp_path):
    path = save(tmp_path, [{"Name": "half"}, SHORT])
    assert find_idea("a_b", tmp_path) == find_idea(f"{path}:a_b", tmp_path)
    ideas, complaints = all_ideas(tmp_path)
    assert [i.Name for i in ideas] == ["a_b"]
    assert len(complaints) == 1 and f"{path}[0]: Title" in complaints[0]
    with pytest.raises(UserError, match=r"ideas\.json\[0\]"):
        find_idea("half", tmp_path)


def test_an_idea_is_found_by_name_and_by_path(tmp_path):
    path = save(tmp_path, [SHORT, LONG])
    assert find_idea("long", tmp_path).Name == "long"
    assert find_idea(f"{path}:a_b", tmp_path).Name == "a_b"


def test_the_shipped_ideas_are_all_readable():
    from agent.core.program import HOME

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
        ({**SHORT, "Name": "a b/c"}, "Name 'a b/c': give a letter or digit, then up to 63 letters"),
        ({"name": "x", "Title": "T", "Experiment": "E"}, "Name is missing; write name as Name"),
        ({**SHORT, "Novelty": "high"}, "Novelty"),
        ('{"Name": "x", "Title": "T", "Title": "U", "Experiment": "E"}', "'Title' is given twice"),
        ('{"Name": "x", "Title": "T", "Experiment": "E", "Own": {"a": 1, "a": 2}}', "'a' is given twice"),
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
