"""A template's library goes with the session: into its repository, its sandboxes, its records and its prompts."""

import hashlib
import json
import shutil

from tests.support import TEMPLATE
from tests.support.whole import Script, Whole

PAGE = '"""Steps for dictionaries: `from steps import HALF`."""\nHALF = 0.5\n'


def test_an_experiment_imports_the_library_and_the_record_names_its_files(tmp_path):
    template = tmp_path / "tiny"
    shutil.copytree(TEMPLATE, template)
    (template / "steps").mkdir()
    (template / "steps" / "__init__.py").write_text(PAGE)
    manifest, script = template / "manifest.toml", template / "experiment.py"
    manifest.write_text('library = "steps"\n' + manifest.read_text())
    imported = "import numpy as np\nfrom steps import HALF\n"
    script.write_text(script.read_text().replace("import numpy as np\n", imported))

    session = Whole(tmp_path / "ws", Script(1), template=str(template), runs=1, baselines=("topk",), stop_after="runs")
    session.play()

    record = json.loads((session.paths.repo / "records" / "1.json").read_text())
    asked = {step: text for step in ("plan", "run-1.edit-1") if (text := _asked(session, step))}
    assert record["hashes"]["code/steps/__init__.py"] == hashlib.sha256(PAGE.encode()).hexdigest()
    assert (session.paths.repo / "template" / "steps" / "__init__.py").read_text() == PAGE
    assert all("from steps import HALF" in text for text in asked.values()) and len(asked) == 2


def _asked(session: Whole, step: str) -> str:
    return (session.paths.calls / f"{step}.1.json").read_text()
