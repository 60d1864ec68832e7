"""A paper over single executions of a script that reports itself claims no seeds, no means and no measuring."""

import re

from agent.core.record import Statistic
from agent.publishing.notes import one_line, said_of_spread
from paper.evidence.expressions import evaluate
from paper.evidence.facts import Facts
from paper.pictures.figures import standard_figures
from paper.press import metric_tables, repeats, seed_table, tables
from tests.support.records import record, training
from tests.support.tiny import TINY

OWN = TINY.manifest.model_copy(update={"measured": False, "seeded": False})
FALSE = re.compile(r"\bmeasured\b|\bseeds?\b(?! +(?:&|as))|trained|\bmeans?\b(?! or)|strongest", re.IGNORECASE)


def facts(**changes) -> Facts:
    """A baseline and an experiment, one execution each."""
    runs = [record(n, seeds=(0,), trainings=(training(0, n, **changes),)) for n in (0, 1)]
    return Facts(runs, OWN, "tiny")


def test_no_sentence_of_the_runner_claims_seeds_or_measuring(tmp_path):
    found = facts()
    printed = [
        tables.settings_caption(found),
        tables.metrics_caption(found),
        metric_tables.main_caption(found),
        *(figure.caption for figure in standard_figures(found, tmp_path)),
        evaluate("budget()", found).text,
        evaluate('spread("r1", "score")', found).text,
        evaluate('versus("r1", "r0", "score")', found).text,
    ]
    assert [text for text in printed if FALSE.search(text)] == []


def test_the_table_of_what_runs_get_says_how_a_script_is_run():
    table = tables.settings(facts())
    assert "executions of the script" in table and "1 for each run" in table
    assert "as the script chooses them" in table and "time limit" in table and "network" in table


def test_listed_values_give_the_error_and_the_scripts_own_error_stands_in_for_them():
    listed = facts(statistics={"score": Statistic(stderr=9.0, values=(0.1, 0.2, 0.3))})
    assert r"\plusminus{0.06}" in metric_tables.main(listed)
    assert "standard errors (ddof = 1) over the values that the script lists" in metric_tables.main_caption(listed)
    assert [line.split("&")[-4].strip() for line in seed_table.seeds(listed).splitlines() if "0.1000" in line]
    assert "Numbered rows" in repeats.in_rows(listed)
    own = facts(statistics={"score": Statistic(stderr=0.05)})
    assert r"\plusminus{0.05}" in metric_tables.main(own)
    assert "Errors are the script's own." in metric_tables.main_caption(own)
    assert r"\plusminus" not in metric_tables.main(facts())


def test_notes_tell_the_spread_and_what_is_undefined():
    found = record(1, trainings=(training(0, 1, statistics={"score": Statistic(stderr=0.05, values=(1.0, 2.0))}),))
    assert list(said_of_spread(found)) == [
        "score, self-reported: over its own 2 values 1, 2; standard error as the experiment computed it 0.05"
    ]
    undefined = record(1, seeds=(0,), trainings=(training(0, 1, metrics={"score": 0.5}, undefined=("error", "l0")),))
    assert list(said_of_spread(undefined))[0] == "error: undefined; the experiment reported NaN or an infinite number"
    shown = Facts([undefined], OWN, "tiny")
    assert one_line(undefined, shown).count(",") == 0
    assert "--" in metric_tables.main(shown)


def test_with_seeds_the_same_words_stay():
    runs = [record(n) for n in (0, 1)]
    assert evaluate('n("r1")', facts()).message.startswith("the script chooses its own seeds")
    assert evaluate('status("r1")', facts()).text == "self-reported"
    seeded = Facts(runs, TINY.manifest, "tiny")
    assert "Settings fixed by the runner" in tables.settings_caption(seeded)
    assert "with two seeds" in evaluate("budget()", seeded).text
    assert evaluate('se("r1", "score")', facts()).message == 'run "r1" has one value, so it has no standard error'
