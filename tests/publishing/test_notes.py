"""In the notes a model's numbers are marked where no record bears them out; names and plain counts are none."""

import pytest

from agent.publishing.notes import _words
from tests.support.paper_fixture import fixture

FACTS = fixture().facts
RUN = FACTS.explored[-1].run


@pytest.mark.parametrize(
    "text",
    [
        "Compared with run 0 it is worse.",
        f"Runs 0 and {RUN} agree, and so do runs 0, {RUN} or 0.",
        f"It beats run {RUN}.",
        "Two explanations are left, and three plausible reasons for them.",
    ],
)
def test_names_of_runs_and_counts_of_what_is_said_are_no_results(text):
    assert _words(text, FACTS) == [text, ""]


@pytest.mark.parametrize(
    ("text", "loose"),
    [
        ("Compared with run 99 it is worse.", "99"),
        ("It rose in run 0 by 0.35 points.", "0.35"),
        ("It is twice as good, for two reasons.", "twice"),
        ("Runs 0 and 0.7123 agree.", "0.7123"),
        ("Run 0.93 of the way.", "0.93"),
    ],
)
def test_any_other_number_is_marked_as_before(text, loose):
    assert loose in _words(text, FACTS)[2]
