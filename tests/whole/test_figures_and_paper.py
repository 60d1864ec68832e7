"""What a model may do wrong when it draws and writes, and what is left of it."""

from agent.actions import perform
from agent.session.policy import EditPlot, WriteSections, next_action
from tests.support.whole import block, options

AXIS = 'axis.set_ylabel("score")'


def test_plot_py_that_fails_is_mended_and_a_hopeless_one_given_up(whole):
    crash = block("plot.py", AXIS, f'raise SystemExit("no axes")\n{AXIS}')
    it = whole({"plot.edit-1": crash, "plot.edit-2": "no"}, before=EditPlot, runs=1)
    session = it.play()
    assert session.plots_over
    assert [f.by for f in session.figures].count("agent") == 0
    assert "no axes" in it.model.prompt("plot.edit-2")


def test_a_figure_that_does_not_follow_the_records_is_refused_and_told(whole):
    typed = block("plot.py", AXIS, f'figure.text(0.3, 0.5, "82% loss reduction")\n{AXIS}')
    mend = block("plot.py", 'figure.text(0.3, 0.5, "82% loss reduction")', "")
    it = whole({"plot.edit-1": typed, "plot.edit-2": mend}, before=EditPlot, runs=1)
    session = it.play()
    assert "82%" in it.model.prompt("plot.edit-2")
    assert [f.reason for f in session.plot_failures] == ["figures"]
    assert [f.by for f in session.figures].count("agent") == 1


def test_a_caption_with_a_typed_number_is_refused_and_told(whole):
    honest = "Score of each run; mean and standard error over seeds."
    typed = block("plot.py", f'caption = "{honest}"', f'caption = "{honest} Ours reaches 0.97."')
    mend = block("plot.py", f'caption = "{honest} Ours reaches 0.97."', f'caption = "{honest}"')
    it = whole({"plot.edit-1": typed, "plot.edit-2": mend}, before=EditPlot, runs=1)
    session = play_plots(it)
    assert "the caption of score holds a number that nobody measured or set: 0.97" in it.model.prompt("plot.edit-2")
    assert [f.caption for f in session.figures if f.by == "agent"] == [honest]


def play_plots(it):
    """As far as the plots are over."""
    with it.tools() as tools:
        while not tools.session.plots_over:
            tools.journal.append(perform(next_action(tools.session), tools))
        return tools.session


def test_a_typed_result_is_refused_told_to_the_writer_and_cut_at_last(whole):
    lie = "The tiered run reaches a score of 0.97, a 42% improvement."
    typed = block("paper/sections/results.md", "Nothing is written here yet.", lie)
    it = whole({"paper.results.write": typed}, before=WriteSections, runs=1)
    session = it.play()
    assert session.sections["results"].complaints > 0
    assert "typed-number" in it.model.prompt("paper.write-results-mend-1")
    tex = (it.paths.repo / "paper/paper.tex").read_text()
    assert "0.97" not in tex.split("app:cut")[0]
    assert session.compiled.dropped

    again = it.play(changed=options(runs=1, allow=(lie,)))

    assert again.finished
    tex = (it.paths.repo / "paper/paper.tex").read_text()
    assert "0.97" in tex.split("app:cut")[0]
    assert "kept by a person's decision" in tex
    assert ("paper.write-1", 1) not in it.model.asked[-3:], "another edition writes nothing anew"


def test_what_tex_cannot_set_is_dropped_and_said(whole):
    bad = "The rows follow what is left. The step is $\\eta\\limits_a$ at first."
    typed = block("paper/sections/method.md", "Nothing is written here yet.", bad)
    it = whole({"paper.method.write": typed}, before=WriteSections, runs=1)
    session = it.play(changed=options(runs=1, pdf=True))
    assert session.compiled.ok
    assert session.compiled.round > 0
    assert any("does-not-compile" in text for text in session.compiled.dropped)
    assert any("cut from the paper" in line and "eta" in line for line in it.console.lines)
    tex = (it.paths.repo / "paper/paper.tex").read_text()
    assert "The rows follow what is left" in tex.split("app:cut")[0]
    assert (it.paths.repo / "paper/paper.pdf").read_bytes().startswith(b"%PDF")
