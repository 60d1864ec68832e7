"""Agent figures have the paper's look; letters too small to read in print, and labels cut off, are told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.core import looks
from agent.lab.plots import draw_worker
from agent.lab.plots.drawing import parse
from agent.lab.plots.legible import SMALLEST, problems, share
from paper.pictures import style

FIGURES = {
    "plain": "plt.plot([1, 2], [3, 4]); plt.xlabel('step'); plt.ylabel('loss'); plt.tight_layout()",
    "wide": "plt.figure(figsize=(12, 7)); plt.bar(['a', 'b'], [1, 2]); plt.title('Runs'); plt.legend(['one'])",
    "tall": "plt.figure(figsize=(5.5, 10)); plt.plot([1, 2]); plt.ylabel('loss')",
    "tight": "plt.plot([1, 2]); plt.xlabel('a label far below the edge', labelpad=200); save['bbox_inches'] = 'tight'",
    "out of sight": "plt.plot([1, 2]); plt.xlim(0, 0.5); plt.annotate('gone', (9, 9), annotation_clip=True)",
    "own small letters": "plt.figure(figsize=(11, 6)); plt.plot([1, 2]); plt.xlabel('steps of it', fontsize=9)",
    "cut off": "plt.plot([1, 2]); plt.ylabel('a name that reaches over the edge', labelpad=90)",
    "long ticks": "plt.bar(['a very long name of a run', 'another'], [1, 2]); plt.xticks(rotation=90)",
}
SCRIPT = """
import matplotlib.pyplot as plt
for name, body in FIGURES.items():
    save = {}
    exec(body, {"plt": plt, "save": save})
    plt.savefig(name + ".pdf", **save)
    plt.close("all")
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Every figure as the worker measured it, and the folder of the files."""
    folder = tmp_path_factory.mktemp("figures")
    (folder / "plot.py").write_text(f"FIGURES = {FIGURES!r}\n{SCRIPT}")
    worker = [sys.executable, "-P", draw_worker.__file__, "plot.py", json.dumps(looks.STYLE)]
    environment = {"MPLBACKEND": "Agg", "MPLCONFIGDIR": str(folder / "matplotlib")}
    subprocess.run(worker, cwd=folder, check=True, env=environment)
    return parse(json.loads((folder / draw_worker.DRAWN).read_text())), folder


@pytest.mark.parametrize("name", ["plain", "wide", "tall", "tight", "out of sight"])
def test_a_figure_whose_letters_the_style_chose_can_be_read_at_any_size(shown, name):
    drawings, _ = shown
    assert problems(drawings, [f"{name}.pdf"]) == []
    drawing = drawings[f"{name}.pdf"]
    assert min(size for _, size in drawing.letters) * share(drawing) * draw_worker.TEXT_WIDTH / drawing.size[0] >= 6


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "own small letters",
            'inches wide, where "steps of it" (4.5 pt) is smaller than 6 pt; draw it at most 5.5 by 5',
        ),
        ("cut off", 'the edge of the picture cuts off "a name that reaches over the edge"; create it with layout='),
        ("long ticks", 'cuts off "a very long name of a run"'),
    ],
)
def test_what_cannot_be_read_is_told_with_what_helps(shown, name, said):
    [line] = problems(shown[0], [f"{name}.pdf"])
    assert line.startswith(f"{name}.pdf: ") and said in line


def test_letters_stay_letters_in_the_papers_font(shown):
    data = Path(shown[1], "plain.pdf").read_bytes()
    assert b"/Subtype /Type0" in data and b"/Type3" not in data and b"STIX" in data


def test_a_figure_of_plot_py_has_the_lines_grid_and_colours_of_the_papers_own(shown, tmp_path):
    """Read where matplotlib has them while each draws: in plot.py under the worker, and in the runner's own canvas."""
    import matplotlib

    names = [name for name in looks.STYLE if name != "font.family"]  # the runner adds fonts of its machine
    told = f"import json, matplotlib as m; print(json.dumps({{n: str(m.rcParams[n]) for n in {names!r}}}))"
    (tmp_path / "plot.py").write_text(told)
    worker = [sys.executable, "-P", draw_worker.__file__, "plot.py", json.dumps(looks.STYLE)]
    theirs = json.loads(subprocess.run(worker, cwd=tmp_path, check=True, capture_output=True, text=True).stdout)
    ours = {}
    style.draw(tmp_path / "own", 2, 2, lambda _: ours.update({n: str(matplotlib.rcParams[n]) for n in names}))

    assert theirs == ours and "#D55E00" in ours["axes.prop_cycle"]
    assert draw_worker.TEXT_WIDTH == looks.TEXT_WIDTH and SMALLEST == 6
