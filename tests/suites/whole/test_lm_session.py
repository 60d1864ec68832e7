"""A session on templates/lm_sae with a scripted model: what was trained is measured, what was not is refused."""

import json
import shutil

import pytest

from tests.support.lm_world import FOLDER, REDUCED
from tests.support.whole import Script, Whole, block, fenced

TOTAL = "        return Loss(total, error, fired(values, chosen.latents, d_sae), (values > 0).sum() / len(x))"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The template with a profile of the tests' size."""
    folder = tmp_path_factory.mktemp("templates") / "lm_sae"
    shutil.copytree(FOLDER, folder)
    path = folder / "manifest.toml"
    text = path.read_text()
    start, stop = text.index("[profiles.tiny.settings]"), text.index("[[profiles.tiny.conditions]]")
    kept = [line for line in text[start:stop].splitlines() if line.split("=")[0].strip() not in REDUCED]
    kept += [f"{name} = {value}" for name, value in REDUCED.items()]
    path.write_text(text[:start].replace("seeds = [0, 1, 2]", "seeds = [0]") + "\n".join(kept) + "\n" + text[stop:])
    return folder


@pytest.mark.timeout(900)  # three trainings, each with its sandboxes
def test_a_session_refuses_what_was_not_trained_and_measures_what_was(tmp_path, template):
    planned = {
        "name": "still",
        "label": "no steps",
        "change": "leave the optimizer out",
        "hypothesis": "it is quick",
        "start_from": "baseline",
    }
    plan = {
        "comparison": {"metric": "delta_ce", "baseline": "topk", "why": "it is the code we start from"},
        "runs": [planned],
    }
    edit = block("experiment.py", TOTAL, TOTAL.replace("total", "0 * total"))
    whole = Whole(
        tmp_path,
        Script(1, {"plan": fenced(plan), "run-1.edit-1": edit}),
        template=str(template),
        runs=1,
        attempts=1,
        baselines=("topk",),
        stop_after="runs",
    )
    known = whole.workspace.cache / "secrets" / "lm_sae-world-0"  # another world may be lucky, once in a hundred
    known.parent.mkdir(parents=True, exist_ok=True)
    known.write_text(f"{2**200 + 17:064x}\n")
    session = whole.play()

    assert [failure.reason for failure in session.runs["1"].failures] == ["untrained"]
    record = json.loads((whole.paths.repo / "records" / "0.json").read_text())
    assert record["status"] == "measured"
    assert set(record["trainings"][0]["metrics"]) >= {"delta_ce", "kl", "absorption", "sparse_probing_1"}
    assert "protected/lm/core.py" in record["hashes"]
    assert any("cross-entropy is" in line for line in whole.console.lines)
