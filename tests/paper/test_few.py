"""A session of very many runs has tables, figures and prompts of the size of one of sixty."""

import pytest

from agent.pages.reading import gather
from agent.publishing import digest
from paper.evidence.expressions import vocabulary
from paper.evidence.facts import Facts
from paper.evidence.few import MOST, few, left_out_words
from paper.press import tables
from tests.support.paged import many_runs


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    return [gather(many_runs(tmp_path_factory.mktemp("many"), runs)) for runs in (60, 150)]


def test_a_session_of_ordinary_size_is_shown_whole(sessions):
    facts = sessions[0].facts
    small = Facts(facts.records[:MOST], facts.manifest, facts.profile)
    assert few(small) is small and left_out_words(small) == ""


def test_of_many_runs_the_baselines_the_best_their_parents_and_the_newest_are_shown(sessions):
    for found in sessions:
        facts, shown = found.facts, few(found.facts)
        names = {r.name for r in shown.explored}
        assert len(shown.explored) <= MOST
        assert {r.name for r in facts.baselines} <= names
        assert facts.described.name in names and facts.records[-1].name in names
        assert {r.run for r in shown.explored} >= {facts.described.parent}
        assert shown.described == facts.described
        assert f"Of {len(facts.explored)} runs, {len(shown.explored)} are shown" in tables.main_caption(facts)


def test_prompts_and_the_main_table_do_not_grow_with_the_number_of_runs(sessions):
    def sizes(found):
        facts = found.facts
        told = "\n".join(digest.runs(found.session, facts))
        return [len(told), len(vocabulary(few(facts), facts)), len(tables.main(facts))]

    for small, large in zip(*map(sizes, sessions), strict=True):
        assert large <= 1.25 * small  # longer numbers in names


def test_the_appendix_lists_every_run(sessions):
    facts = sessions[1].facts
    listed = tables.runs(facts)
    assert all(record.label in listed for record in facts.explored)
