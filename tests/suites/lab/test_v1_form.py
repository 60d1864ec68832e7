"""Folders of the AI-Scientist v1 form run unchanged: adapted, trained, drawn, written up; and what is said of them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.core.errors import UserError
from agent.core.template import load_template
from agent.core.writing import DRAFTS
from agent.lab.built import folder_hashes
from agent.lab.measuring.measure import run_training
from agent.lab.measuring.scratch import TrainingPaths
from agent.lab.templating import contract
from agent.lab.templating.adapt import adapt
from agent.lab.templating.check import sources
from agent.lab.templating.directions import direction
from agent.lab.templating.trial import Trial
from agent.lab.templating.v1 import ideas, is_v1
from agent.lab.worlds import prepared
from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox
from agent.storage.log import EventLog
from paper.press.render import section_order
from paper.press.venue import read_style
from tests.support import ROOT
from tests.support.pdf_words import pdf_text
from tests.support.whole import Whole, block, default_answer, fenced, literature_answer

FORM = ROOT / "tests" / "support" / "v1_form"
CURVES = FORM / "templates" / "curves"
LATEX = CURVES / "latex"
NAN = "    final['{}']['means']['test_loss_mean'] = float('nan')\n"
REPORT = '    with open(os.path.join(out_dir, "final_info.json"), "w") as file:\n        json.dump(final, file)\n'


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    """The folder as it is, without a run_0."""
    said: list[str] = []
    root = tmp_path_factory.mktemp("v1")
    root.chmod(0o755)
    folder = adapt(CURVES, root, BubblewrapSandbox, said.append)
    return folder, said


def copied(tmp_path: Path) -> Path:
    """A folder as such templates come: nobody has said anything in adapter.toml."""
    shutil.copytree(FORM, tmp_path / "form")
    (tmp_path / "form/templates/curves/adapter.toml").unlink()
    return tmp_path / "form" / "templates" / "curves"


def answered(folder: Path, old: str, new: str) -> None:
    """What a person does with the file that the check wrote."""
    text = (folder / "adapter.toml").read_text()
    assert text.count(old) == 1, text
    (folder / "adapter.toml").write_text(text.replace(old, new))


def with_run_0(folder: Path, report: dict) -> Path:
    (folder / "run_0").mkdir()
    (folder / "run_0" / "final_info.json").write_text(json.dumps(report))
    return folder


def refuse_to_run():
    raise AssertionError("with a run_0 nothing is run")


# ---------------------------------------------------------------- the folder


def test_without_a_run_0_the_script_is_run_once_to_learn_what_it_reports(adapted):
    folder, said = adapted
    manifest = load_template(folder).manifest
    assert is_v1(CURVES)
    assert said[0].endswith("running experiment.py once to learn what it reports")
    assert said[-1].endswith(f"add --paper-style {LATEX} to set the paper in it")
    assert {n: (m.better, m.primary) for n, m in manifest.metrics.items()} == {
        "test_loss_sine": ("lower", True),
        "test_loss_step": ("lower", False),
    }
    assert "test_loss_sine: lower is better" in said[1]
    assert "reported without a direction: spread_sine, shape_degree_sine," in said[1]
    assert manifest.about.startswith("Noisy curves are fitted by polynomials.")
    assert manifest.assets == ("helper.py", "settings/sizes.json")
    assert (folder / "experiment.py").read_bytes() == (CURVES / "experiment.py").read_bytes()


def test_the_folder_itself_is_only_read_and_its_state_names_the_template(adapted, tmp_path):
    before = folder_hashes(CURVES)
    folder, _ = adapted
    again = adapt(CURVES, folder.parents[2], refuse_to_run, print)
    assert again == folder
    assert folder_hashes(CURVES) == before
    changed = with_run_0(copied(tmp_path), {"sine": {"means": {"test_loss": 1.0}}})
    assert adapt(changed, tmp_path, refuse_to_run, print).parent.name != folder.parent.name


def test_a_run_0_that_was_shipped_is_read_in_the_place_of_a_first_run(tmp_path):
    folder = with_run_0(copied(tmp_path), {"sine": {"means": {"test_loss": 0.5, "step_val_acc_99": 3}}})
    manifest = load_template(adapt(folder, tmp_path, refuse_to_run, print)).manifest
    assert {n: (m.better, m.primary) for n, m in manifest.metrics.items()} == {"test_loss": ("lower", True)}


def test_what_is_not_sure_is_asked_in_a_file_that_the_check_writes_and_answers_are_enough(tmp_path):
    report = {
        "sine": {"means": {"final_train_loss": 0.5, "step_val_acc_99": 7, "peak": float("nan")}},
        "step": {"means": {"final_train_loss": 0.4, "step_val_acc_99": 9, "peak": 1.0}},
    }
    folder = with_run_0(copied(tmp_path), report)
    with pytest.raises(UserError, match="nothing says which number runs are compared by; ./launch.py --check-"):
        adapt(folder, tmp_path, refuse_to_run, print)
    assert not (folder / "adapter.toml").exists()
    with pytest.raises(UserError, match="wrote .*adapter.toml for you: go through it, then run the same command again"):
        adapt(folder, tmp_path, refuse_to_run, print, ask=True)
    text = (folder / "adapter.toml").read_text()
    assert "one of:\n# final_train_loss_sine, step_val_acc_99_sine, final_train_loss_step" in text
    assert '[metrics.step_val_acc_99]  # of step_val_acc_99_sine, step_val_acc_99_step\nbetter = "?"' in text
    with pytest.raises(UserError, match=r"answer what .*adapter\.toml asks"):
        adapt(folder, tmp_path, refuse_to_run, print, ask=True)
    assert (folder / "adapter.toml").read_text() == text
    answered(folder, 'primary = "?"', 'primary = "step_val_acc_99"')
    with pytest.raises(UserError, match="step_val_acc_99 stands for step_val_acc_99_sine, step_val_acc_99_step"):
        adapt(folder, tmp_path, refuse_to_run, print)
    answered(folder, 'primary = "step_val_acc_99"', 'primary = "step_val_acc_99_step"')
    with pytest.raises(UserError, match='metrics.step_val_acc_99: say better = "higher" or "lower"'):
        adapt(folder, tmp_path, refuse_to_run, print)
    answered(folder, 'step_val_acc_99_step\nbetter = "?"', 'all data\nbetter = "lower"\nlow = 0.0')
    metrics = load_template(adapt(folder, tmp_path, refuse_to_run, print)).manifest.metrics
    assert {name: (m.better, m.low, m.primary) for name, m in metrics.items()} == {
        "final_train_loss_sine": ("lower", None, False),
        "step_val_acc_99_sine": ("lower", 0.0, False),
        "final_train_loss_step": ("lower", None, False),
        "step_val_acc_99_step": ("lower", 0.0, True),
    }


def test_lines_of_ones_own_stay_when_the_check_adds_its_questions(tmp_path):
    folder = with_run_0(copied(tmp_path), {"sine": {"means": {"spread": 0.5}}})
    own = 'out_dir = "absolute"  # as its authors say\n[limits]\nwall_s = 60.0\nmemory_mb = 512\n'
    (folder / "adapter.toml").write_text(own)
    with pytest.raises(UserError, match="added what is asked to the lines of"):
        adapt(folder, tmp_path, refuse_to_run, print, ask=True)
    assert own in (folder / "adapter.toml").read_text()
    answered(folder, 'primary = "?"', 'primary = "spread"')
    answered(folder, 'better = "?"', 'better = "lower"')
    manifest = load_template(adapt(folder, tmp_path, refuse_to_run, print)).manifest
    assert (manifest.primary, manifest.absolute_out_dir) == ("spread", True)
    assert manifest.profiles["full"].limits.memory_mb == 512


def test_packages_that_are_missing_are_named_before_anything_runs_and_may_lie_beside_the_script(tmp_path):
    folder = copied(tmp_path)
    text = "import entropy_of_noise.estimators as ee\nimport cv2\n"
    text += "try:\n    import apex_of_noise\nexcept ImportError:\n    apex_of_noise = None\n"
    (folder / "experiment.py").write_text(text + (folder / "experiment.py").read_text())
    with pytest.raises(UserError, match=r"this Python lacks entropy_of_noise, cv2, which its code imports; wrote"):
        adapt(folder, tmp_path, refuse_to_run, print, ask=True)
    written = (folder / "adapter.toml").read_text()
    assert '[environment]\nrequirements = ["entropy_of_noise", "opencv-python-headless"]\nextend = true' in written
    assert "# entropy_of_noise is imported by experiment.py:1" in written
    (folder / "adapter.toml").write_text('primary = "test_loss_sine"\n')
    (folder / "entropy_of_noise").mkdir()
    (folder / "entropy_of_noise/estimators.py").write_text("import deeper_noise\n")
    (folder / "cv2.py").write_text("")
    with pytest.raises(UserError, match="this Python lacks deeper_noise"):
        adapt(folder, tmp_path, refuse_to_run, print)
    (folder / "entropy_of_noise/estimators.py").write_text("from . import nothing\n")
    (folder / "entropy_of_noise/nothing.py").write_text("")
    template = load_template(adapt(folder, tmp_path, NoSandbox, print))
    assert not [f for f in contract.look(template, sources(template)) if f.code == "missing-import"]


def test_an_interpreter_may_be_named_and_one_that_lacks_a_module_is_told(tmp_path):
    folder = with_run_0(copied(tmp_path), {"sine": {"means": {"test_loss": 1.0}}})
    (folder / "adapter.toml").write_text(f'[environment]\npython = "{sys.executable}"\n')
    manifest = load_template(adapt(folder, tmp_path, refuse_to_run, print)).manifest
    assert manifest.environment and manifest.environment.python == sys.executable
    (folder / "adapter.toml").write_text('[environment]\nrequirements = ["a", "b"]\nextend = true\n')
    template = load_template(adapt(folder, tmp_path, refuse_to_run, print))
    assert template.path(template.manifest.environment.requirements).read_text() == "a\nb\n"
    assert template.manifest.environment.requirements in template.manifest.assets
    (folder / "adapter.toml").write_text('[environment]\nrequirements = "nowhere.txt"\n')
    with pytest.raises(UserError, match=r"environment: nowhere\.txt is not in the folder"):
        adapt(folder, tmp_path, refuse_to_run, print)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("open('datasets/cat.npz')", "FileNotFoundError: .*'datasets/cat.npz'; this file is missing: get the data"),
        ("assert False, 'cuda is unavailable'", "AssertionError: cuda is unavailable; the script asks for a GPU"),
        ("import urllib.request as u; u.urlopen('http://nowhere.invalid')", "URLError.*; the script fetches something"),
        ("raise SystemExit('no such luck')", "no such luck"),
    ],
)
def test_a_first_run_that_fails_says_in_one_line_what_is_missing(tmp_path, line, said):
    folder = copied(tmp_path)
    (folder / "experiment.py").write_text(f"{line}\n")
    with pytest.raises(UserError, match=rf"the first run gave no final_info\.json: exit: .*{said}") as caught:
        adapt(folder, tmp_path, NoSandbox, print)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("val_loss", "lower"),
        ("best_val_loss", "lower"),
        ("error_rate", "lower"),
        ("test_acc", "higher"),
        ("step_val_acc_99", None),
        ("steps_to_accuracy", None),
        ("loss_score", None),
        ("loss_ratio", None),
        ("spread", None),
        ("lossy", None),
        ("train_time", None),
        ("mean_reward", "higher"),
    ],
)
def test_a_name_says_a_direction_or_none(name, way):
    assert direction(name) == way


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("adapter.toml", '[metrics.gone]\nbetter = "lower"', "metrics.gone: the script reports no such number"),
        ("adapter.toml", "metrics = 3", "adapter.toml: metrics"),
        ("prompt.json", "{", "prompt.json: not valid JSON"),
        ("run_0/final_info.json", '{"a": ', "remove the folder run_0"),
    ],
)
def test_a_broken_file_of_the_form_is_one_clear_line(tmp_path, file, text, said):
    folder = with_run_0(copied(tmp_path), {"sine": {"means": {"loss": 1}}})
    (folder / file).write_text(text)
    with pytest.raises(UserError, match=re.escape(said)):
        adapt(folder, tmp_path, refuse_to_run, print)


def test_ideas_of_the_folder_are_there_once_and_ideas_json_wins():
    assert [(i.Name, i.Title) for i in ideas(CURVES)[0]] == [
        ("higher_degree", "Does a Higher Degree Fit Noisy Curves Better?"),
        ("less_penalty", "Does a Smaller Penalty Help?"),
    ]


# ---------------------------------------------------------------- one training


def trained(folder: Path, tmp_path: Path, sandbox, code: str | None = None):
    tmp_path.chmod(0o755)
    template = load_template(folder)
    world = prepared(template, "full", {}, 1, tmp_path / "cache")
    job = Trial(template, "full", tmp_path, sandbox, print).job("one", world, "experiment.py")
    if code is not None:
        (tmp_path / "theirs").mkdir()
        (tmp_path / "theirs/experiment.py").write_text(code)
        job = job.model_copy(update={"code": str(tmp_path / "theirs")})
    return run_training(job, 0, job.conditions[0], sandbox, lambda: False), TrainingPaths.of(job, 0, "all")


@pytest.mark.parametrize("sandbox", [BubblewrapSandbox, NoSandbox], ids=["walls", "no walls"])
def test_it_runs_with_its_data_its_files_and_a_folder_to_write_in(adapted, tmp_path, sandbox):
    training, paths = trained(adapted[0], tmp_path, sandbox())
    assert training.outcome == "measured", training.detail
    assert training.metrics.keys() == {"test_loss_sine", "test_loss_step"}
    statistic = training.statistics["test_loss_sine"]
    assert statistic.stderr > 0 and sum(statistic.values) / 3 == pytest.approx(training.metrics["test_loss_sine"])
    assert not [name for name in training.diagnostics if name.endswith("_stderr")]
    assert training.diagnostics["shape_degree_sine"] == 2
    assert training.diagnostics["seconds_taken"] == 0
    assert {f.code for f in training.findings} == {"results-dropped"}
    assert (paths.kept / "all_results.npy").is_file()
    assert re.fullmatch("[0-9a-f]{64}", training.artefact_sha256)


@pytest.mark.parametrize("sandbox", [BubblewrapSandbox, NoSandbox], ids=["walls", "no walls"])
def test_large_data_beside_the_script_are_shown_where_they_lie_and_committed_with_no_session(tmp_path, sandbox):
    folder = with_run_0(copied(tmp_path), {"sine": {"means": {"test_loss": 1}}})
    (folder / "datasets/cats").mkdir(parents=True)
    for number in range(201):
        (folder / f"datasets/cats/{number}.txt").write_text(str(number))
    script = "import argparse, json, os\np = argparse.ArgumentParser()\np.add_argument('--out_dir')\n"
    script += "out = p.parse_args().out_dir\nos.makedirs(out)\n"
    script += "cats = [open(f'datasets/cats/{n}.txt').read() for n in range(201)]\n"
    script += "final = {'sine': {'means': {'test_loss': sum(map(int, cats))}}}\n"
    script += "json.dump(final, open(f'{out}/final_info.json', 'w'))\n"
    (folder / "experiment.py").write_text(script)
    made = adapt(folder, tmp_path, refuse_to_run, print)
    assert not [name for name in load_template(made).manifest.assets if name.startswith("datasets")]
    training, _ = trained(made, tmp_path, sandbox())
    assert training.metrics == {"test_loss": 20100.0}, training.detail


def test_data_cannot_be_written_from_inside(adapted, tmp_path):
    text = (CURVES / "experiment.py").read_text()
    line = "    os.makedirs(out_dir"
    vandal = text.replace(line, f"    open('../../data/curves/sine.csv', 'w')\n{line}")
    training, _ = trained(adapted[0], tmp_path, BubblewrapSandbox(), vandal)
    assert training.outcome == "failed"
    assert "Read-only file system" in training.detail


def test_an_absolute_out_dir_is_given_where_it_is_asked_for(tmp_path):
    folder = with_run_0(copied(tmp_path), {"sine": {"means": {"test_loss": 1}}, "step": {"means": {"test_loss": 1}}})
    (folder / "adapter.toml").write_text('primary = "test_loss_sine"\nout_dir = "absolute"\n')
    text = (
        (folder / "experiment.py")
        .read_text()
        .replace("    os.makedirs(out_dir", "    assert os.path.isabs(out_dir)\n    os.makedirs(out_dir")
    )
    (folder / "experiment.py").write_text(text)
    training, _ = trained(adapt(folder, tmp_path, refuse_to_run, print), tmp_path, BubblewrapSandbox())
    assert training.outcome == "measured", training.detail


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ("    pass\n", "missing-metric"),
        (
            REPORT.replace("json.dump(final, file)", "file.write(json.dumps(final).replace('0.', 'NaN, 0.', 1))"),
            "missing-metric",
        ),
        (
            REPORT.replace("    with", "    final['sine']['means']['test_loss_mean'] = float('nan')\n    with"),
            "metric-not-finite",
        ),
        (REPORT.replace("final, file", "{'sine': final['sine']}, file"), "missing-metric"),
        (
            "    os.makedirs('elsewhere', exist_ok=True)\n    os.rename(out_dir, 'elsewhere/x')\n"
            "    os.symlink('elsewhere', out_dir)\n    os.makedirs('run_9')\n    out_dir = 'run_9'\n",
            "missing-metric",
        ),
    ],
)
def test_what_is_no_whole_result_is_refused_and_never_a_crash(adapted, tmp_path, report, reason):
    text = (CURVES / "experiment.py").read_text()
    assert REPORT in text
    training, _ = trained(adapted[0], tmp_path, NoSandbox(), text.replace(REPORT, report))
    assert (training.outcome, training.reason) == ("refused", reason), training.detail


def test_one_undefined_number_is_told_and_the_rest_counts(adapted, tmp_path):
    text = (CURVES / "experiment.py").read_text()
    nan = REPORT.replace("    with", f"{NAN.format('step')}    with")
    training, _ = trained(adapted[0], tmp_path, NoSandbox(), text.replace(REPORT, nan))
    assert training.outcome == "measured", training.detail
    assert training.metrics.keys() == {"test_loss_sine"} and training.undefined == ("test_loss_step",)
    assert [f.text for f in training.findings if f.code == "undefined"] == [
        "NaN or infinite in final_info.json, so this run has no value of test_loss_step"
    ]


# ---------------------------------------------------------------- what is said of the form


def test_the_known_flaws_of_the_form_are_named(adapted, tmp_path):
    template = load_template(adapted[0])
    codes = {(flaw.code, flaw.where) for flaw in contract.look(template, sources(template))}
    assert not any(code == "stale-runs" for code, _ in codes)  # plot.py is given the measured runs alone
    assert ("metric-without-range", "adapter.toml") in codes
    assert any(code == "evaluation-editable" and where.startswith("experiment.py:") for code, where in codes)
    assert not any(code == "seed-unused" for code, _ in codes)
    assert [where for code, where in codes if code == "metric-without-range"] == ["adapter.toml"]
    seedless = copied(tmp_path)
    text = (seedless / "experiment.py").read_text().replace("seeds", "repeats").replace("seed", "number")
    text += "\n\nclass Rows:\n    def fetch_row(self):\n        return self.fetch_row()\n"
    (seedless / "experiment.py").write_text(text)
    with_run_0(seedless, {"sine": {"means": {"test_loss": 1}}})
    template = load_template(adapt(seedless, tmp_path, refuse_to_run, print))
    found = {(f.code, f.where) for f in contract.look(template, sources(template))}
    assert ("seed-unused", "experiment.py") in found
    assert not [code for code, _ in found if code in ("network", "missing-import")]  # fetch_row is its own
    (seedless / "experiment.py").write_text(text.split("import", 1)[0] + "def run(a):\n    return a\n")
    template = load_template(adapt(seedless, tmp_path, refuse_to_run, print))
    assert "seed-unused" not in {f.code for f in contract.look(template, sources(template))}  # nothing is drawn


# ---------------------------------------------------------------- its own LaTeX


def latex_of(tmp_path: Path, old: str = "", new: str = "") -> Path:
    folder = Path(shutil.copytree(LATEX, tmp_path / "latex"))
    text = (folder / "template.tex").read_text()
    assert old in text
    (folder / "template.tex").write_text(text.replace(old, new))
    return folder


def test_what_is_taken_of_its_latex_and_what_is_left_out_is_said():
    venue = read_style(LATEX)
    assert venue.headings[0] == ("introduction", "Introduction")
    assert venue.headings[-1] == ("conclusion", r"Conclusions and Future {\normalfont Work}")
    assert [work.key for work in venue.works] == ["carved2001curves", "straight2003lines"]
    assert venue.works[1].summary == "A line has degree one & no bend."
    assert "the template's own bibliography" in venue.works[0].summary
    assert venue.bibliography == "plainnat"  # what natbib has in the place of plain
    assert r"\graphicspath{{../}}" in venue.preamble and "filecontents" not in venue.preamble
    assert "TITLE HERE" not in venue.preamble
    assert venue.left_out == 'a figure or table and "This curve was drawn by hand."'
    assert "template.tex" in venue.files and "template.tex" not in venue.beside


def test_places_may_stand_in_another_order_and_a_section_without_one_is_printed_nevertheless(tmp_path):
    folder = latex_of(tmp_path, "METHOD HERE", "")
    text = (folder / "template.tex").read_text()
    text = (
        text.replace("RELATED WORK HERE", "@@")
        .replace("CONCLUSIONS HERE", "RELATED WORK HERE")
        .replace("@@", "CONCLUSIONS HERE")
    )
    (folder / "template.tex").write_text(text)
    order = [(spec.name, heading) for spec, heading in section_order(read_style(folder))]
    assert order == [
        ("introduction", "Introduction"),
        ("conclusion", "Related Work"),
        ("background", "Background"),
        ("method", "Method"),
        ("experimental_setup", "Experimental Setup"),
        ("results", "Results"),
        ("discussion", "Discussion and Limitations"),
        ("related_work", r"Conclusions and Future {\normalfont Work}"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (r"\begin{document}", "", r"template.tex has no \begin{document}"),
        (r"\documentclass[11pt]{article}", "", r"template.tex has no \documentclass"),
        ("{article}", "{neverland2031}", "neverland2031.cls: named in template.tex, but neither in the folder nor"),
        (" HERE", "", "none of the places that a paper fills"),
        ("{plain}", "{ieeetr}", r"\bibliographystyle{ieeetr}: sentences name authors and years"),
        ("@book{carved2001curves,", "@book{carved2001curves", "carved2001curves cannot be read as BibTeX"),
    ],
)
def test_latex_that_cannot_be_used_is_one_clear_line(tmp_path, old, new, said):
    with pytest.raises(UserError, match="--paper-style") as caught:
        read_style(latex_of(tmp_path, old, new))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_preamble_beside_it_is_one_too_many(tmp_path):
    folder = latex_of(tmp_path)
    (folder / "preamble.tex").write_text("\\documentclass{article}\n")
    with pytest.raises(UserError, match="has both preamble.tex and template.tex: keep one"):
        read_style(folder)


# ---------------------------------------------------------------- a whole session

PROSE = {
    "title": "# Does a Higher Degree Fit Noisy Curves Better?\n\nWe raise the degree. {{ confirmation() }}.\n",
    "introduction": "Curves are fitted by polynomials [@carved2001curves].\n",
    "related_work": "Fitting is old.\n",
    "background": "A curve $y$ is written as a polynomial in $x$.\n",
    "method": "The degree of the polynomial is raised.\n",
    "experimental_setup": "The script chooses its own seeds.\n",
    "results": 'The loss of {{ name("cubic") }} is {{ mean("cubic", "test_loss_sine") }} (see [@tab:main]).\n',
    "discussion": "*Interpretation.* The degree matters where the curve bends.\n",
    "conclusion": 'The loss of the baseline is {{ mean("baseline", "test_loss_sine") }}.\n',
}


def answer(messages, call):
    step = call.step
    if step == "plan":
        run = {
            "name": "cubic",
            "label": "cubic",
            "change": "set DEGREE to 3",
            "hypothesis": "curves bend twice",
            "start_from": "baseline",
        }
        return fenced(
            {
                "comparison": {"metric": "test_loss_sine", "baseline": "baseline", "why": "it is the start"},
                "runs": [run],
            }
        )
    if step == "run-1.edit-1":
        return block("experiment.py", "DEGREE = 2  # of the polynomial", "DEGREE = 3  # of the polynomial")
    if step.endswith(".reflect"):
        return fenced({"interpretation": "The degree matters.", "completed": True, "runs": []})
    if step.startswith("plot.edit"):
        return block("plot.py", 'labels = {"run_0": "Baseline"}', 'labels = {"run_0": "Baseline", "run_1": "cubic"}')
    if step == "plot.describe":
        names = re.findall(r"^- `([\w-]+)` \(drawn", messages[-1].content, re.MULTILINE)
        return fenced({"descriptions": dict.fromkeys(names, "Look at the bars.")})
    if match := re.fullmatch(r"paper\.write-(\d)", step):
        names = DRAFTS[int(match[1]) - 1]
        empty = "Nothing is written here yet."
        return "\n".join(block(f"paper/sections/{n}.md", empty, PROSE[n].rstrip("\n")) for n in names)
    return literature_answer(messages[-1].content) or default_answer(call, 1)


@pytest.mark.timeout(600)
def test_a_whole_session_runs_on_the_form_in_its_own_latex_and_marks_every_number(adapted, tmp_path):
    it = Whole(
        tmp_path,
        answer,
        template=str(adapted[0]),
        profile="full",
        baselines=("baseline",),
        runs=1,
        paper_style=str(LATEX),
        pdf=shutil.which("latexmk") is not None,
    )
    session = it.play()
    assert session.finished
    repo = it.paths.repo
    record = json.loads((repo / "records/1.json").read_text())
    assert (
        record["trainings"][0]["metrics"]["test_loss_sine"]
        < json.loads((repo / "records/0.json").read_text())["trainings"][0]["metrics"]["test_loss_sine"]
    )
    assert session.confirmation.best is None
    assert "the script chooses its own seeds" in "\n".join(it.console.lines)
    drawn = [figure for figure in session.figures if figure.by == "agent"]
    assert [figure.name for figure in drawn] == ["agent-test_loss_sine", "agent-test_loss_step"]
    assert (repo / drawn[0].file).read_bytes().startswith(b"\x89PNG")
    tex = (repo / "paper/paper.tex").read_text()
    assert "All results are self-reported" in tex
    claims = r"made by the experiment runner|(?:measured|fixed) by the runner|one seed|every measured|strongest base"
    assert not re.search(claims, tex)
    assert "Look at the bars. Drawn by the agent" in tex
    assert "executions of the script" in tex and r"\plusminus" in tex
    assert tex.count("(self-reported)") >= 2
    assert "self-reported by the experiments" in tex
    assert r"\textsuperscript{\dag}" in tex
    assert tex.startswith("% Made by the runner") and r"\documentclass[11pt]{article}" in tex
    assert r"\item[Cited from the template] carved2001curves" in tex
    assert "`carved2001curves`: Curves and How They Bend (2001)" in it.model.prompt("paper.write-2")
    assert "@book{carved2001curves" in (repo / "paper/references.bib").read_text()
    if session.options.pdf:
        assert session.compiled.ok, session.compiled.problems
        text = " ".join(pdf_text(repo / "paper/paper.pdf").split())
        assert "Carver and Bender" in text and "Future Work" in text and "Provenance of Every Number" in text
        assert "HERE" not in text and "by hand" not in text
    assert "over its own 3 values" in (repo / "notes.txt").read_text()
    assert (repo / "template/settings/sizes.json").is_file()
    prompt = it.model.prompt("run-1.edit-1")
    assert "final_info.json" in prompt and "safetensors" not in prompt
    assert "`run_1/final_info.json` (cubic)" in it.model.prompt("plot.edit-1")
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", "--verify", repo], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    changed = repo / "paper/style/template.tex"
    changed.write_text(changed.read_text().replace("1.25in", "1.5in"))
    subprocess.run(["git", "-C", repo, "commit", "-qam", "another margin"], check=True)
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", "--verify", repo], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and "preamble.tex" in done.stdout + done.stderr
    assert not [e for e in EventLog(it.paths.events).read() if e.type in ("attempt_failed", "plot_failed")]


def test_launch_takes_the_folder_its_ideas_and_its_flaws(tmp_path):
    def launch(*words):
        return subprocess.run(
            [sys.executable, ROOT / "launch.py", *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "EXPERIMENT_RUNNER_WORKSPACE": str(tmp_path)},
        )

    listed = launch("--list", "--template", CURVES)
    assert "less_penalty" in listed.stdout
    ours = ("--template", CURVES, "--model", "ollama/none", "--dry-run", "--no-pdf")
    tried = launch("--idea", "less_penalty", *ours)
    assert "running experiment.py once" in tried.stdout, tried.stderr
    checked = launch("--check-template", CURVES, "--trust")
    assert checked.returncode == 0
    assert checked.stdout.splitlines()[-1].startswith("ready and self-reported, because ")
    assert re.search(r"^evaluation-editable +experiment\.py:\d+: ", checked.stdout, re.MULTILINE), checked.stderr
    unknown = launch("--idea", "nowhere", *ours)
    assert unknown.returncode == 2
    assert "idea 'nowhere': not found" in unknown.stderr
