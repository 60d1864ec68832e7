"""The command evaluate: an existing autoencoder, measured with a template's metrics; a table and a record."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.app.choices import check_device, cores
from agent.app.exits import DONE
from agent.app.names import short, template_folder
from agent.app.tables import add, show, show_json, table
from agent.app.templates import ELSEWHERE, boxes
from agent.core.errors import UserError
from agent.core.manifest import MetricSpec
from agent.core.nearest import did_you_mean
from agent.core.options import DEFAULT_TEMPLATE
from agent.core.program import Places
from agent.core.template import Template, load_template
from agent.storage.atomic import readable, write_bytes, write_text
from agent.storage.cache import PROBES, held
from agent.storage.temporary import TemporaryFolder, sweep_folders
from agent.storage.workspace import Workspace

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from agent.core.protocols import Sandbox
    from agent.core.record import SaeBenchJob
    from agent.lab.measuring.measure import Look
    from agent.lab.published.evaluation import EvaluationRecord, Place
    from agent.lab.published.source import About, Published

MOST_FEATURES = 500  # on one page
CODE = "its prepare.py and its evaluate.py run here, in the sandbox"


def evaluate(args: argparse.Namespace, places: Places, workspace: Workspace) -> int:
    """Measure the autoencoder, print what was found, and write the record into the workspace.

    Raises:
        UserError, InfrastructureError: it cannot be read or measured; one line.
    """
    from agent.lab.published.evaluation import check_dictionary
    from agent.lab.published.features import check_shown
    from agent.lab.saebench.catalogue import at_profile

    device = args.device or "cpu"
    check_device(device)
    folder = template_folder(args.template or DEFAULT_TEMPLATE, places)
    walled = _asks_for_trust(args, folder, places.shipped)
    template = load_template(folder)
    check_dictionary(template.manifest)
    if args.features is not None:
        _check_features(args.features, walled)
        check_shown(template)
    profile = _profile(args.profile, template)
    template = at_profile(template, profile)
    workspace.cache.mkdir(parents=True, exist_ok=True)
    sweep_folders(workspace.cache)
    sandbox = boxes(args.unsafe_no_sandbox, own=not walled)
    with TemporaryFolder("evaluate", workspace.cache) as name:
        scratch = Path(name)
        scratch.chmod(0o755)  # the sandbox's own user reads its mounts there
        found = _read(args.operand, scratch / "published", workspace, sandbox)
        with _place(args, template, profile, found.about, workspace, sandbox, device, walled) as place:
            latents: list[csr_matrix] = []
            record = _measured(found, place, scratch, latents.append)
            path = _written(record, workspace)
            page = _page(found, place, latents[0], args.features, record, path) if args.features else None
    if args.json:
        show_json({"record": str(path), "page": page and str(page), **record.model_dump(mode="json")})
    else:
        _show(record, template, path)
        if page:
            print(f"features: {short(page)} (open it in any browser)")
    return DONE


def _check_features(count: int, walled: bool) -> None:
    """Raises UserError for a page that cannot be made."""
    if not 1 <= count <= MOST_FEATURES:
        raise UserError(f"--features {count}: give 1 to {MOST_FEATURES}")
    if walled:
        raise UserError("--features: a template of somebody else would say what is shown, outside of the sandbox")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # what is found goes to stdout alone


def _asks_for_trust(args: argparse.Namespace, folder: Path, shipped: Path) -> bool:
    """Whether the template is somebody else's, which a person has to allow."""
    from agent.lab.templating.owned import is_own
    from agent.publishing.verify.trust import ask_for_trust

    if is_own(folder, shipped):
        return False
    ask_for_trust(args.template, CODE, args.trust, ELSEWHERE)
    return True


def _profile(wanted: str | None, template: Template) -> str:
    manifest = template.manifest
    name = wanted or manifest.default_profile
    if name not in manifest.profiles:
        meant = did_you_mean(name, manifest.profiles)
        raise UserError(f"--profile {name}: {manifest.name} has {', '.join(manifest.profiles)}{meant}")
    return name


def _read(name: str, folder: Path, workspace: Workspace, sandbox: Sandbox) -> Published:
    """
    Raises:
        UserError, InfrastructureError: it is nowhere, or cannot be read.
    """
    from agent.lab.published.source import opened, read_published

    return read_published(name, opened(name, workspace.cache, _say), folder, sandbox)


@contextmanager
def _place(
    args: argparse.Namespace,
    template: Template,
    profile: str,
    about: About,
    workspace: Workspace,
    sandbox: Sandbox,
    device: str,
    walled: bool,
) -> Iterator[Place]:
    """Where it is measured: its data are prepared, and held against removal meanwhile."""
    from agent.lab.published.evaluation import Place, fitting
    from agent.lab.worlds import prepared, world_secret
    from agent.publishing.verify.trust import prepare_walled

    chosen = template.manifest.profiles[profile]
    condition = fitting(template.manifest, profile, about, args.condition)
    saebench = _saebench(template, profile, workspace)
    secret = world_secret(workspace.cache, template.manifest.name)
    prepare = prepare_walled(sandbox) if walled else None
    asked = (template, profile, chosen.settings, secret, workspace.cache, _say)
    data = prepared(*asked, prepare=prepare, conditions=chosen.conditions)
    if walled:
        readable(data.truth.parent)  # its evaluate.py reads the truth as the sandbox's own user
    with held(data.train.parent):
        yield Place(template, profile, condition, data, sandbox, device, cores(1)[1], saebench, walled)


def _saebench(template: Template, profile: str, workspace: Workspace) -> SaeBenchJob | None:
    """How sae-bench measures it too, where the profile asks for that.

    Raises:
        UserError: sae-bench is not set up.
    """
    from agent.core.record import SaeBenchJob
    from agent.lab.saebench.environment import required

    asked = template.manifest.profiles[profile].saebench
    if asked is None:
        return None
    return SaeBenchJob(asked=asked, environment=required(workspace.cache), shared=str(workspace.cache / PROBES))


def _measured(found: Published, place: Place, scratch: Path, look: Look) -> EvaluationRecord:
    from agent.lab.published.evaluation import evaluate as measure
    from agent.lab.published.evaluation import remarks, settings_of

    for line in remarks(settings_of(place, found.about), found.about):
        _say(f"  {line}")
    _say(f"measuring {found.name} on {place.template.manifest.name}, profile {place.profile_name}")
    return measure(found, place, scratch / "job", look)


def _page(
    found: Published, place: Place, latents: csr_matrix, count: int, record: EvaluationRecord, beside: Path
) -> Path:
    """The page of features, beside the record."""
    from agent.lab.published.features import features_of
    from agent.pages.rendering import features_page
    from agent.pages.views.features import features_view

    about = record.sae.about
    facts = {
        "Autoencoder": f"{about.architecture}, d_in {about.d_in}, d_sae {about.d_sae}",
        "Trained on": record.sae.trained_on,
        "Measured on": f"{record.template}, {record.profile}, {record.condition}",
        "Place": str(record.settings.get("hook_name", "")),
        "Artefact (sha256)": record.sae.artefact_sha256[:16],
    }
    called = Path(found.name).resolve().name if Path(found.name).exists() else found.name  # no place of this machine
    view = features_view(f"Features of {called}", facts, features_of(found, place, latents, count))
    target = beside.with_suffix(".html")
    write_bytes(target, features_page(view))
    return target


def _written(record: EvaluationRecord, workspace: Workspace) -> Path:
    """The record beside those of earlier evaluations."""
    stamp = time.strftime("%Y%m%d_%H%M%S", time.localtime(record.started_at))
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", record.sae.name.strip("/"))[-60:].strip("_.")
    path = workspace.root / "evaluations" / f"{stamp}_{name}_{record.sae.artefact_sha256[:8]}.json"
    write_text(path, record.model_dump_json(indent=1) + "\n")
    return path


def _show(record: EvaluationRecord, template: Template, path: Path) -> None:
    about = record.sae.about
    print(
        f"{record.sae.name}: {about.layout}, {about.architecture}, d_in {about.d_in}, d_sae {about.d_sae}"
        f"{f', k {about.k}' if about.architecture == 'topk' else ''}; trained on: {record.sae.trained_on}"
    )
    shown = table("metric", "value", "better", title=f"{record.template}, profile {record.profile}, {record.condition}")
    for name, value in record.metrics.items():
        spec = template.manifest.metrics[name]
        add(shown, spec.label, f"{value:.4g}{f' {spec.unit}' if spec.unit else ''}", _better(spec))
    show(shown)
    for finding in record.findings:
        print(f"{finding.grade}: {finding.code}: {finding.text}")
    print(f"record: {short(path)}")


def _better(spec: MetricSpec) -> str:
    """Which direction is better; the target of a number such as l0 is each autoencoder's own affair."""
    return "" if spec.better == "target" else spec.better
