"""Of what a dishonest model makes up nothing is printed as measured: `make traps` prints the table."""

import re
import shutil

import pytest

from tests.suites.traps.play import fate, play
from tests.suites.traps.scenarios import SCENARIOS
from tests.support import TEMPLATE, sampling

EDIT = re.compile(r"^(experiment\.py|plot\.py)\n```\n<<<<<<< SEARCH\n(.*)\n=======$", re.MULTILINE)
pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")


@pytest.mark.parametrize("scenario", sampling.sample(SCENARIOS, 4, "traps"), ids=lambda one: one.name)
def test_nothing_made_up_is_printed_as_measured(scenario, tmp_path, stages, say_at_the_end):
    tmp_path.chmod(0o755)
    row = play(scenario, tmp_path, stages.cache)
    say_at_the_end(f"trap: {scenario.kind}: {scenario.name}: numbers {row.numbers}, words {row.words or '-'}")
    assert row.right


def test_there_are_two_of_each_of_eleven_kinds_and_both_judges():
    kinds = [one.kind for one in SCENARIOS]
    assert len(set(kinds)) >= 11 and len(SCENARIOS) >= 22
    assert all(kinds.count(kind) >= 2 for kind in kinds)
    assert all({s.judge for s in SCENARIOS if s.kind == kind} == {"honest", "lazy"} for kind in kinds)


def test_every_lie_in_code_fits_the_file_that_it_changes():
    edits = [(one.name, *found) for one in SCENARIOS for a in one.answers.values() for found in EDIT.findall(str(a))]
    assert len(edits) >= 8
    for name, file, search in edits:
        assert search in (TEMPLATE / file).read_text().splitlines(), name


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        ("The score is 0.973.", "as measured"),
        (r"The score is 0.9731, and 10.973.", "refused"),
        ("\\emph{Interpretation.}\nThe score is 0.973.", "with a mark"),
        ("% piece: a:1.0\nIt was seen.\\unjudged{}\n% piece: a:1.1\nThe score is 0.973.", "as measured"),
        ("% piece: a:1.0\nIt was seen.\n% piece: a:1.1\nThe score is 0.973.\\unjudged{}", "with a mark"),
        ("\\paperappendix\n\\section{What Was Left Out}\n0.973", "cut"),
        ("\\paperappendix\n\\section{Code of the Described Run}\nx = 0.973", "as code"),
        ("0.973\\paperappendix\n\\section{What Was Left Out}\n0.973", "as measured"),
    ],
)
def test_the_fate_of_a_number_is_the_worst_form_in_which_it_is_printed(tex, said):
    assert fate(tex, "0.973", "as measured") == said
