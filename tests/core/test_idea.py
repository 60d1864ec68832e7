"""Ideas: both forms of the field, and one clear line for what is wrong."""

import json

import pytest

from agent.core.errors import UserError
from agent.core.ideas import all_ideas, find_idea, read_ideas

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
    ],
)
def test_wrong_input_is_one_line_with_file_and_field(tmp_path, data, said):
    path = save(tmp_path, data)
    with pytest.raises(UserError) as error:
        read_ideas(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_that_is_not_there_lists_those_that_are(tmp_path):
    save(tmp_path, [SHORT, LONG])
    with pytest.raises(UserError, match="a_b, long"):
        find_idea("nowhere", tmp_path)
