"""Views are plain data: what a page says of a session, without a browser."""

import re
from dataclasses import replace

import pytest
from markupsafe import Markup

from agent.core.paths import SessionPaths
from agent.core.record import Finding
from agent.literature.library import Entry
from agent.pages.drawing import charts
from agent.pages.drawing.svg import Scale, tag
from agent.pages.drawing.timeline import timeline
from agent.pages.reading import Seen, gather
from agent.pages.rendering import Serving, policy, session_page
from agent.pages.views.code import diff_of
from agent.pages.views.costs import ALL_WORDS, costs, exchanges, stage_of
from agent.pages.views.index import index_rows
from agent.pages.views.maths import formula, typeset
from agent.pages.views.paper import labels_of
from agent.pages.views.plain import authors_of, plain, surnames_of
from agent.pages.views.runs import runs
from agent.pages.views.session import session_view
from agent.pages.views.story import story
from agent.pages.views.words import lasted, shortened
from agent.session import events as ev
from agent.session.session import fold
from tests.support import paper_fixture
from tests.support.frozen import finished
from tests.support.paged import many_runs


def tell(event, session):
    return event.type


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return gather(many_runs(tmp_path_factory.mktemp("few"), 6))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return gather(SessionPaths(finished(tmp_path_factory.mktemp("finished"))))


# ---------------------------------------------------------------- the session


def test_the_verdict_is_the_confirmation_in_one_sentence_with_its_interval(whole):
    view = session_view(whole, 0.0, tell)

    assert "95% CI" in view.sentence and view.sentence.count(". ") == 0
    assert view.good is True


def test_before_a_confirmation_the_page_says_that_nothing_is_confirmed(few):
    assert "nothing is confirmed yet" in session_view(few, few.session.last_at, tell).sentence


def test_the_badge_counts_the_numbers_that_the_records_give_again(whole):
    assert re.fullmatch(r"(\d+) of \1 numbers verified", session_view(whole, 0.0, tell).badge.text)


def test_a_changed_paper_loses_its_badge(tmp_path):
    paths = SessionPaths(finished(tmp_path))
    tex = paths.repo / "paper/paper.tex"
    tex.write_text(re.sub(r"0\.(\d)(\d)", r"0.9\2", tex.read_text(), count=4))
    from tests.support.frozen import commit

    commit(paths.repo)

    badge = session_view(gather(paths), 0.0, tell).badge

    assert badge.good is False
    assert "agree" in badge.text


def test_a_record_that_was_changed_is_named_and_the_page_is_made_without_it(tmp_path):
    paths = many_runs(tmp_path, 3)
    path = paths.repo / "records/2.json"
    path.write_text(path.read_text().replace("Variant 2", "Variant 9"))

    found = gather(paths)

    assert [r.run for r in found.records] == ["0", "1", "3"]
    assert b"changed since run 2 was measured" in session_page(session_view(found, 0.0, tell))


def test_every_number_of_the_paper_leads_to_its_expression_runs_record_and_commit(whole):
    paper = session_view(whole, 0.0, tell).paper
    numbers = [p for c in paper.chapters for part in c.parts for s in part.sentences for p in s.pieces]
    targets = {p.target for p in numbers if p.kind == "number"}

    assert targets and targets <= {str(o.number) for o in paper.origins}
    assert all(o.expression and o.prints for o in paper.origins)
    assert all(record and commit for o in paper.origins for _, _, record, commit in o.records)


def test_sentences_have_their_kinds(whole):
    paper = session_view(whole, 0.0, tell).paper
    kinds = {s.kind for c in paper.chapters for part in c.parts for s in part.sentences}

    assert kinds == {"measured", "cited", "told"}


def test_words_of_a_recording_are_said_to_be_of_one(whole):
    options = whole.session.options.model_copy(update={"playback": "replies"})
    view = session_view(replace(whole, session=replace(whole.session, options=options)), 0.0, tell)

    assert session_view(whole, 0.0, tell).played == ""
    assert view.played.startswith("The words of this session were played back from a recording; the numbers were")
    assert view.played.encode() in session_page(view)


def test_the_pdf_is_a_link_where_it_lies_beside_the_page_and_a_path_elsewhere(whole):
    view = session_view(whole, 0.0, tell)

    assert b'<a href="paper.pdf"' in session_page(view, Serving())
    assert b'<a href="repo/paper/paper.pdf"' in session_page(view, pdf="repo/paper/paper.pdf")
    alone = session_page(view).decode()
    assert "paper.pdf</code>" in alone and 'type="application/pdf"' not in alone


@pytest.mark.parametrize(
    ("tex", "read"),
    [
        (r"Adri{\`a} Garriga-Alonso", "Adrià Garriga-Alonso"),
        (r"Przemys{\l}aw", "Przemysław"),
        (r"Przemys\l aw", "Przemysław"),
        (r"Tom{\'a}{\v s}", "Tomáš"),
        (r"Ga\"el {Dupr{\'e} la Tour}", "Gaël Dupré la Tour"),
        (r"Fran{\c{c}}ois \v{C}ern\'{\i}", "François Černí"),
        (r"{SAE}s \& $L_1$--norms: \emph{which} one?", "SAEs & L1–norms: which one?"),
        (r"<b>100\%</b> \foo{kept}", "<b>100%</b> kept"),
    ],
)
def test_names_and_titles_of_a_bibliography_are_read_without_tex(tex, read):
    assert plain(tex) == read


def test_names_are_whole_and_works_that_would_be_cited_alike_have_letters():
    entry = Entry("a", "misc", {"author": " and ".join(f"Last{n}, First{n}" for n in range(9)), "title": "{A} Title"})

    assert authors_of(entry).endswith("First5 Last5 and 3 more")
    assert surnames_of(entry) == "Last0 et al."
    assert surnames_of(Entry("b", "misc", {"author": "{OpenAI Team} and Ann van Berg"})) == "OpenAI Team and Berg"


def test_figures_tables_and_sections_are_called_as_in_the_pdf(whole):
    tex = (
        "\\section{One}\n\\label{sec:one}\n\\label{tab:a}\n\\label{fig:x}\n\\section{Two}\n\\label{sec:two}\n"
        "\\label{fig:y}\n\\paperappendix\n\\section{Runs}\n\\label{app:runs}\n\\begin{appendixtable}{tab:runs}{All}\n"
    )
    assert labels_of(tex) == {
        "sec:one": "Section 1",
        "tab:a": "Table 1",
        "fig:x": "Figure 1",
        "sec:two": "Section 2",
        "fig:y": "Figure 2",
        "app:runs": "Appendix A",
        "tab:runs": "Table 2",
    }
    page = session_page(session_view(whole, 0.0, tell)).decode()
    assert re.search(r"[ >](Figure|Table|Section) \d[ .<,)]", page)
    assert not re.search(r">(fig|tab|sec):\w+<", page)


@pytest.mark.parametrize(
    ("source", "understood"),
    [
        (r"\hat{x}_t = b_{\text{dec}} + \sum_{j \le m_t} z_j \, d_j", True),
        (r"\left( 0, \; 1 - \frac{s}{\rho S} \right)", True),
        (r"\begin{cases} a & b \\ c & d \end{cases}", False),
        (r"\overbrace{x}", False),
        (r"x_{1", False),
    ],
)
def test_a_formula_that_is_not_understood_is_shown_as_its_source(source, understood):
    assert typeset(source) is understood


# ---------------------------------------------------------------- the story


def test_stages_are_told_with_their_failures_and_without_the_time_that_a_stopped_session_waits(few):
    events = few.events
    failed = ev.AttemptFailed(
        at=events[-1].at + 1e6,
        active=events[-1].active + 5.0,
        run="6",
        attempt=2,
        stage="training",
        reason="exit",
        detail="Traceback\nValueError: no",
        commit="c",
    )
    told = story((*events, failed), fold((*events, failed)), few.manifest, 0.0, False, tell)

    (span,) = (s for s in told.spans if s.failures)
    assert span.stage == "runs"
    assert "ValueError: no" in span.failures[0].why
    assert told.total < 1e5


def test_a_running_session_has_a_cursor_and_an_estimate(few):
    told = story(few.events, few.session, few.manifest, few.session.last_at + 30, True, tell)

    assert [s.now for s in told.spans][-1] is True
    assert "of training, then the paper" in told.remaining
    assert "cursor" in timeline(told)


# ---------------------------------------------------------------- runs


def test_the_best_value_of_each_metric_is_marked_by_its_direction():
    fixture = paper_fixture.fixture()
    facts = fixture.facts
    states = {r.run: _state(r) for r in facts.records}
    view = runs(_Session(states), facts, {})

    for place, heading in enumerate(view.headings):
        best = [row for row in view.rows if row.cells[place].best]
        assert len(best) >= 1, heading.key
        values = [row.cells[place].value for row in view.rows if row.cells[place].value is not None]
        if heading.direction == "higher is better":
            assert best[0].cells[place].value == max(values)


def test_a_failed_run_has_a_row_without_numbers():
    facts = paper_fixture.fixture().facts
    failed = [r for r in facts.records if r.status == "failed"]
    view = runs(_Session({r.run: _state(r) for r in facts.records}), facts, {})

    assert failed
    for record in failed:
        (row, *_) = (row for row in view.rows if row.run == record.run)
        assert row.status == "failed" and not any(cell.text for cell in row.cells)


def test_the_tree_holds_every_run_once(few):
    tree = runs(few.session, few.facts, few.files).tree

    def below(branches):
        return [b.run for branch in branches for b in (branch,)] + [r for b in branches for r in below(b.children)]

    assert sorted(below(tree)) == sorted(r.run for r in few.facts.explored)


class _Session:
    """As much of a session as the table of runs asks for."""

    def __init__(self, runs):
        self.runs, self.plan, self.pending, self.experiments = runs, None, (), []
        self.options = type("Options", (), {"runs": 0})()


def _state(record):
    from agent.session.states import RunState

    return RunState(record.run, record.kind)


# ---------------------------------------------------------------- cost, code, words


def test_costs_add_up_by_stage_and_role(few):
    found = costs(few.events)

    assert found.total.calls == len(few.session.calls) == sum(total.calls for _, _, total in found.rows)
    assert found.total.sent + found.total.received == few.session.tokens
    assert sum(c.calls for c in found.columns) == found.total.calls


@pytest.mark.parametrize(
    ("step", "stage"),
    [
        ("plan", "Plan"),
        ("run-3.edit-1", "Runs"),
        ("paper.write-1", "Paper"),
        ("improve-1.review-2", "Review"),
        ("support.round-1", "Literature"),
        ("something.new", "Other"),
    ],
)
def test_a_step_belongs_to_a_stage(step, stage):
    assert stage_of(step) == stage


def test_a_message_is_shown_once_and_long_ones_share_the_room(few):
    found = exchanges(few.calls, frozenset(), {})
    shown = [m for e in found for m in e.messages if not m.known]

    assert len({m.text.head for m in shown}) == len(shown)
    assert any(m.known for e in found for m in e.messages)
    long = [c.model_copy(update={"reply": "x" * ALL_WORDS}) for c in few.calls]
    size = sum(len(e.reply.head) + len(e.reply.tail) for e in exchanges(long, frozenset(), {}))
    assert size <= ALL_WORDS
    assert all(e.reply.left_out for e in exchanges(long, frozenset(), {}))


def test_a_diff_counts_what_it_leaves_out():
    old, new = "\n".join(map(str, range(50))), "\n".join(map(str, range(25, 75)))
    whole, cut = diff_of(old, new, 10_000), diff_of(old, new, 60)

    assert (whole.added, whole.removed, whole.left_out) == (25, 25, 0)
    assert cut.left_out > 0 and (cut.added, cut.removed) == (25, 25)


def test_a_shortened_text_says_how_much_is_missing():
    found = shortened("a" * 100 + "b" * 100, 40)

    assert (len(found.head) + len(found.tail), found.left_out) == (40, 160)
    assert found.tail.endswith("b")


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (65, "1 min 05 s"), (7260, "2 h 01 min"), (9e5, "10 days")])
def test_durations_have_two_units(seconds, text):
    assert lasted(seconds) == text


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (r"x = W^\top z + b", "x = W^⊤z + b"),
        (r"d_{\text{sae}}", "d_sae"),
        (r"\frac{1}{n}\sum_i x_i^2", "1/n∑_i x_i^2"),
        (r"\lVert x - \hat{x} \rVert_2", "‖x - x\u0302 ‖_2"),
        (r"\sqrt{a+b} \unknown{c}", "√(a+b) \\unknown c"),
        (r"x^{n^2}", "x^n^2"),
        ("x}^_", "x"),
    ],
)
def test_a_formula_is_printed_with_its_signs(source, shown):
    marks = {"plain": "", "sup": "^", "sub": "_"}

    assert "".join(marks[p.kind] + p.text for p in formula(source)).strip() == shown


def test_a_formula_of_any_depth_ends():
    assert "".join(p.text for p in formula("{^" * 5000 + "x")).endswith("x")


# ---------------------------------------------------------------- index


def test_the_index_is_newest_first_and_tells_chains_and_what_cannot_be_read(few, whole):
    again = few.session
    seen = [
        Seen("a", again, few.facts),
        Seen("b", again, few.facts, running=True),
        Seen("c", whole.session, whole.facts),
        Seen("d", problem="line 3 is damaged"),
    ]
    rows = index_rows(seen, few.session.started_at + 7200)

    assert [row.name for row in rows] == ["d", "c", "b", "a"]
    assert [row.place for row in rows] == ["", "", "2 of 2", "1 of 2"]
    assert rows[0].problem == "line 3 is damaged"
    assert rows[1].verdict == "improvement" and rows[1].good
    assert rows[3].age == "2 h ago"


def test_sessions_that_continue_one_another_stand_together_with_their_sum(few):
    def after(name):
        return replace(few.session, options=few.session.options.model_copy(update={"after": name}))

    seen = [
        Seen("a", few.session, few.facts),
        Seen("b", few.session, few.facts),
        Seen("c", after("a"), few.facts),
        Seen("d", after("gone"), few.facts),
        Seen("e", after("c"), few.facts),
    ]
    rows = {row.name: row for row in index_rows(seen, few.session.started_at)}

    assert list(rows) == ["e", "c", "a", "d", "b"]
    assert [row.after for row in rows.values()] == ["c", "a", "", "", ""]
    assert rows["e"].chain.startswith("chain of 3 sessions: 18 runs measured, $")
    assert [row.chain for row in rows.values() if row.name != "e"] == [""] * 4


# ---------------------------------------------------------------- drawing


def test_an_element_escapes_whatever_it_is_given():
    assert tag("text", "turned \u202e around") == Markup(r"<text>turned \u202e around</text>")
    made = tag("text", '<b>"&', data_label='" onload="x')

    assert made == Markup('<text data-label="&#34; onload=&#34;x">&lt;b&gt;&#34;&amp;</text>')


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.64391, 0.6452), (5.0, 5.0), (-3.0, 1e7), (1e-9, 2e-9)])
def test_ticks_lie_on_the_axis_and_read_apart(low, high):
    scale = Scale.over([low, high], 50.0, 700.0)
    ticks = scale.ticks()

    assert 2 <= len(ticks) <= 12
    assert all(50 <= scale.at(value) <= 700 for value, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)


def test_values_that_are_no_numbers_are_drawn_inside():
    scale = Scale.over([1.0, float("inf"), 2.0, float("nan")], 0.0, 10.0)

    assert 0 <= scale.at(float("inf")) <= 10


def test_labels_of_close_points_do_not_cover_each_other():
    points = [
        charts.Point(str(n), f"Variant number {n}", "experiment", {"x": (0.5 + n / 1e4, None), "y": (0.5, None)})
        for n in range(4)
    ]
    drawn = charts.plane(points, "x", "y", {"x": "x", "y": "y"})
    places = re.findall(r'class="name-of" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)"', drawn)

    assert len(set(places)) == 2 * len(points)  # on a screen and on a phone


# ---------------------------------------------------------------- markup


def test_findings_of_one_kind_are_one_chip_that_counts_them_and_holds_all_their_texts(few):
    view = session_view(few, 0.0, tell)
    found = [Finding(code="at-floor", grade="flag", text=f"seed {seed} is <low>") for seed in (0, 1)]
    found.append(Finding(code="off-target", grade="note", text="l0 is 9"))
    first, *others = view.runs.rows
    rows = (replace(first, findings=tuple(found)), *others)
    page = session_page(replace(view, runs=replace(view.runs, rows=rows))).decode()

    chips = re.findall(r'<span class="flag (\w+)" title="([^"]*)">([^<]*)</span>', page)
    assert chips[:2] == [
        ("flag", "seed 0 is &lt;low&gt;\nseed 1 is &lt;low&gt;", "at-floor ×2"),
        ("note", "l0 is 9", "off-target"),
    ]


def test_the_policy_lets_nothing_run_but_our_own_script(few):
    page = session_page(session_view(few, 0.0, tell)).decode()

    assert "unsafe" not in policy(served=False) + policy(served=True)
    assert policy(served=False).startswith("default-src 'none'")
    assert len(re.findall(r"<script(?![^>]*application/json)", page)) == 1
    assert not re.search(r"<[^>]+\sstyle=", page)
    assert not re.search(r"<[^>]+\son\w+=", page)
    assert not re.search(r"(?:src|href)=\"https?://", page)
