"""The red team's table in continuous integration: `make redteam` prints it."""

import shutil

import pytest

from tests.suites.redteam import escape, honest, loop
from tests.suites.redteam.lab import lab
from tests.suites.redteam.run import CHEATS, run_all
from tests.support import sampling

pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")


def test_every_cheat_is_caught_by_the_check_that_claims_it_and_no_honest_run_is_refused(say_at_the_end):
    tried = [*sampling.sample(CHEATS, 22, "cheats"), *sampling.sample(honest.RUNS, 8, "honest runs")]
    rows = run_all(tried)
    cheats, honest_runs = ([row for row in rows if row.kind == kind] for kind in ("cheat", "honest"))
    say_at_the_end(
        f"red team: {sum(not r.complaint for r in cheats)} of {len(cheats)} cheats caught, "
        f"{sum(bool(r.complaint) for r in honest_runs)} of {len(honest_runs)} honest runs refused"
    )

    assert [f"{row.name}: {row.complaint}" for row in rows if row.complaint] == []
    assert len(rows) == len(tried) + len(loop.CHEATS)


def test_a_weak_seed_would_be_guessed_so_the_guess_is_a_real_attack():
    guess = next(case for case in escape.CHEATS if "guessed seed" in case.name)
    with lab(secret=1234) as weak:
        assert "exit" not in {finding.code for finding in weak.judge(1, guess).findings}


def test_the_cases_are_many_and_distinct():
    assert len(CHEATS) + len(loop.CHEATS) >= 85 and len(honest.RUNS) >= 25
    for cases in (CHEATS, honest.RUNS):
        assert len({case.edits for case in cases}) == len(cases) == len({case.name for case in cases})
