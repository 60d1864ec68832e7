"""What a person chose becomes the options of a session: what is left out is Options' own default or the machine's."""

import shutil

import pytest

from agent.app import choices
from agent.app.arguments import Refusal, parse
from agent.core.errors import UserError
from agent.core.ideas import Idea
from agent.core.options import ROLES, Models, Options
from agent.core.template import load_template
from tests.support import TEMPLATE
from tests.support.whole import IDEA

DERIVED = {"template", "profile", "models", "playback", "baselines", "device", "slots", "threads"}


def new(words=""):
    args = parse(["run", "x", "--model", "openai/gpt-4o", *words.split()])
    return choices.new_options(load_template(TEMPLATE), Idea(**IDEA), choices.typed(args))


def test_a_recording_is_played_one_run_after_the_other(tmp_path):
    played = Options(template="t", profile="p", models=Models(**dict.fromkeys(ROLES, "m")), playback=str(tmp_path))
    with pytest.raises(UserError, match="--branches: a recording plays one run after the other"):
        resumed(played, "--branches 2")


def resumed(before, words=""):
    return choices.changed_options(before, choices.typed(parse(["resume", "last", *words.split()])))


def test_what_is_not_typed_is_the_default_of_the_options():
    found = new()
    for name, field in Options.model_fields.items():
        if name not in DERIVED:
            assert getattr(found, name) == field.default, name
    assert (found.profile, found.baselines, found.playback) == ("tiny", ("topk", "rows"), None)
    assert set(found.models.names().values()) == {"openai/gpt-4o"}


def test_what_is_typed_is_taken_by_name():
    found = new(
        "--runs 0 --no-pdf --allow-network --unsafe-no-sandbox --skip-novelty --max-usd 0 --allow a --baselines all"
    )
    assert (found.runs, found.pdf, found.network, found.sandbox, found.skip_novelty) == (0, False, True, "none", True)
    assert (found.max_usd, found.allow, found.baselines) == (0, ("a",), ("topk", "rows"))


def test_what_is_said_of_models_is_kept_and_a_resume_uses_it():
    before = new("--price 0.5,2 --max-output 8000 --context 32000 --fallback openai/gpt-4.1")

    assert (before.price, before.max_output, before.context) == ((0.5, 2.0), 8000, 32000)
    assert Options.model_validate_json(before.model_dump_json()) == before == resumed(before)
    assert resumed(before, "--price 1,3").price == (1.0, 3.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--price 3", "--price: give two numbers with a comma between, found 3"),
        ("--price 3,x", "--price: give a number, found x"),
        ("--price 3,-1", "--price: give two prices of 0 or more, found 3,-1"),
        ("--gpus 0,0", "--gpus: give all, or numbers of GPUs with commas between, found 0,0"),
        ("--context 0", "--context 0: give 1 or more"),
        ("--max-output 0", "--max-output 0: give 1 or more"),
    ],
)
def test_a_price_or_length_that_cannot_be_is_refused_in_one_line(words, said):
    with pytest.raises((UserError, Refusal)) as caught:
        new(words)
    assert said in str(caught.value)


def test_fewer_trainings_side_by_side_get_more_threads():
    cores, _ = choices.cores()
    assert (new("--slots 1").slots, new("--slots 1").threads) == (1, cores)
    assert (new("--device cpu").slots, new("--device cpu").threads) == (cores, 1)


def test_on_a_gpu_one_training_runs_at_a_time_unless_more_are_asked_for():
    cores, _ = choices.cores()
    assert (new("--device cuda").slots, new("--device cuda:1").threads) == (1, cores)
    assert new("--device cuda --slots 2").slots == 2
    assert new("--device cuda --gpus 0,3").slots == 2


def test_a_numbered_device_is_the_gpu_that_trainings_may_use():
    assert (new("--device cuda:1").device, new("--device cuda:1").gpus) == ("cuda", "1")
    before = new("--device cuda --gpus 0")
    assert resumed(before) == before and resumed(before, "--gpus 1,2").gpus == "1,2"


def test_a_role_s_own_model_goes_before_the_one_of_all():
    assert new("--planner openai/o3").models == Models(
        **{**dict.fromkeys(ROLES, "openai/gpt-4o"), "planner": "openai/o3"}
    )


def test_a_plain_resume_changes_nothing_but_a_stop_that_was_asked_for():
    before = new("--stop-after plan --runs 2 --allow a --max-tokens 9")
    assert resumed(before) == before.model_copy(update={"stop_after": None})


def test_a_resume_changes_what_is_typed_and_adds_to_what_is_allowed():
    found = resumed(new("--allow a --max-tokens 9"), "--allow b --allow a --max-tokens 20 --planner openai/o3 --no-pdf")
    assert (found.allow, found.max_tokens, found.pdf) == (("a", "b"), 20, False)
    assert (found.models.planner, found.models.writer) == ("openai/o3", "openai/gpt-4o")


def test_a_session_of_a_larger_machine_goes_on_here():
    before = new().model_copy(update={"slots": 9 * choices.cores()[0]})
    assert resumed(before).slots == before.slots


@pytest.mark.parametrize("field", choices.FIXED)
def test_what_a_session_is_about_cannot_change(field):
    with pytest.raises(UserError, match=f"--{field} cannot change within a session"):
        choices.changed_options(new(), {field: "other"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--slots 0", r"--slots 0: give 1 to \d+"),
        ("--slots 100000", r"--slots 100000: give 1 to \d+"),
        ("--device tpu", "--device tpu: give cpu, cuda, or cuda:N"),
        ("--device cuda:x", "--device cuda:x: give"),
        ("--device cpu --gpus 0", "--gpus 0: trainings run on cpu; say --device cuda with it"),
        ("--device cuda:1 --gpus 0", "--gpus 0: trainings run on cuda:1; say --device cuda with it"),
        ("--runs 201", "--runs 201: give 0 to 200"),
        ("--branches 0", "--branches 0: give 1 to 16"),
        ("--max-usd -1", "--max-usd -1.0: give 0 or more"),
        ("--playback somewhere", "--playback and --model do not go together"),
    ],
)
def test_what_is_out_of_range_is_refused_at_the_start_and_at_a_resume(words, said):
    for settle in (new, lambda typed: resumed(new(), f"--model openai/gpt-4o {typed}")):
        with pytest.raises(UserError, match=said) as refused:
            settle(words)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--baselines topk,topk", "topk is named twice"),
        ("--baselines rows,topk", "the first must be topk"),
        ("--baselines topk,none", "has topk, rows, or all"),
        ("--baselines ,", "has topk, rows, or all"),
        ("--profile huge", "--profile huge: "),
    ],
)
def test_what_the_template_does_not_have_is_refused(words, said):
    with pytest.raises(UserError, match=said):
        new(words)


@pytest.fixture
def template(tmp_path):
    """The tiny template with a profile that says its baselines, and a recording that says its own."""
    folder = shutil.copytree(TEMPLATE, tmp_path / "tiny")
    with (folder / "manifest.toml").open("a") as manifest:
        manifest.write('[profiles.short]\nextends = "tiny"\nbaselines = ["topk"]\n')
    (folder / "playback" / "recorded").mkdir(parents=True)
    (folder / "playback" / "recorded" / choices.RECORDED_WITH).write_text('runs = 7\nbaselines = "topk"\n')
    return load_template(folder)


@pytest.mark.parametrize(
    ("chosen", "trained"),
    [
        ({"models": dict.fromkeys(ROLES, "m")}, ("topk", "rows")),
        ({"models": dict.fromkeys(ROLES, "m"), "profile": "short"}, ("topk",)),
        ({"models": dict.fromkeys(ROLES, "m"), "profile": "short", "baselines": "all"}, ("topk", "rows")),
        ({}, ("topk",)),
        ({"baselines": "topk,rows"}, ("topk", "rows")),
    ],
)
def test_baselines_are_those_named_else_the_recordings_else_the_profiles_else_all(template, chosen, trained):
    idea = Idea(**{**IDEA, "Name": "recorded"})
    assert choices.new_options(template, idea, chosen).baselines == trained


@pytest.mark.parametrize(("chosen", "runs"), [({"models": dict.fromkeys(ROLES, "m")}, 5), ({}, 7), ({"runs": 2}, 2)])
def test_runs_are_as_many_as_asked_else_as_the_recording_has_else_the_default(template, chosen, runs):
    assert choices.new_options(template, Idea(**{**IDEA, "Name": "recorded"}), chosen).runs == runs


@pytest.mark.parametrize("said", ["baselines = 3\n", 'hours = 3\nbaselines = "topk"\n', "[runs]\n"])
def test_a_recording_that_says_anything_but_its_runs_and_baselines_is_refused(template, tmp_path, said):
    path = tmp_path / "tiny" / "playback" / "recorded" / choices.RECORDED_WITH
    path.write_text(said)
    with pytest.raises(UserError):
        choices.new_options(template, Idea(**{**IDEA, "Name": "recorded"}), {})


def test_names_from_python_are_held_to_the_same_as_those_that_are_typed():
    template, idea = load_template(TEMPLATE), Idea(**IDEA)
    given = {"models": dict.fromkeys(ROLES, "own")}
    assert choices.new_options(template, idea, {**given, "baselines": ["topk"]}).baselines == ("topk",)
    with pytest.raises(UserError, match="topk is named twice"):
        choices.new_options(template, idea, {**given, "baselines": ("topk", "topk")})


def test_one_field_alone_has_the_default_and_the_bounds_of_the_options():
    assert choices.value("reviews", None) == Options.model_fields["reviews"].default
    assert choices.value("reviews", 9) == 9
    with pytest.raises(UserError, match="--reviews 10: give 1 to 9"):
        choices.value("reviews", 10)
