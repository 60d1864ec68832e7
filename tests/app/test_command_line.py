"""What a person types and reads: whole sessions through launch.py, and one clear line for what is wrong."""

import json
import re
import subprocess
import sys

import pytest

from agent.session.session import fold
from agent.storage.log import EventLog
from tests.support import ROOT, TEMPLATE
from tests.support.fake_provider import FakeProvider, error, reply
from tests.support.launched import answer, launch


def test_a_session_with_a_real_model_over_http_through_litellm_and_aider(workspace, idea):
    faults = [error(500, "a passing fault"), error(429, "slow down", headers={"retry-after": "0"})]
    with FakeProvider(lambda request: faults.pop() if faults else reply(answer(request))) as provider:
        done = launch(
            "--idea",
            idea,
            "--template",
            TEMPLATE,
            "--model",
            "openai/gpt-4o",
            "--api-base",
            provider.url,
            "--runs",
            1,
            "--no-pdf",
            "--workspace",
            workspace,
            OPENAI_API_KEY="sk-planted-secret-1",
        )
        asked = len(provider.history)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "asking again" in done.stdout
    assert re.search(r"planner \(openai/gpt-4o\): \d+ sent, \d+ received, \$0\.\d+; session", done.stdout)
    session_folder = next(workspace.glob("2*"))
    session = fold(EventLog(session_folder / "events.jsonl").read())
    assert session.finished
    assert len(session.calls) == asked - 2
    assert session.usd > 0
    for path in session_folder.rglob("*"):
        assert not path.is_file() or b"sk-planted-secret-1" not in path.read_bytes(), path


def test_a_wrong_key_is_one_line_and_an_exit_status_and_resume_goes_on(workspace, idea):
    refuse = [True]

    def script(request):
        return error(401, "Incorrect API key provided") if refuse[0] else reply(answer(request))

    with FakeProvider(script) as provider:
        common = ("--api-base", provider.url, "--workspace", workspace, "--stop-after", "plan")
        done = launch(
            "--idea",
            idea,
            "--template",
            TEMPLATE,
            "--model",
            "openai/gpt-4o",
            "--runs",
            1,
            *common,
            OPENAI_API_KEY="sk-wrong",
        )
        assert done.returncode == 3
        assert "OPENAI_API_KEY" in done.stdout
        assert "--resume" in done.stdout
        refuse[0] = False
        done = launch("--resume", "last", *common, OPENAI_API_KEY="sk-right")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_budget_of_tokens_stops_cleanly_and_a_higher_one_goes_on(workspace, idea):
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        common = ("--api-base", provider.url, "--workspace", workspace, "--no-pdf")
        done = launch(
            "--idea",
            idea,
            "--template",
            TEMPLATE,
            "--model",
            "openai/gpt-4o",
            "--runs",
            1,
            "--max-tokens",
            40,
            *common,
            OPENAI_API_KEY="sk-x",
        )
        assert done.returncode == 4, done.stdout + done.stderr
        assert "--max-tokens 40 is reached" in done.stdout
        used = fold(EventLog(next(workspace.glob("2*")) / "events.jsonl").read()).tokens
        assert 40 <= used < 40 + 2 * 18
        done = launch(
            "--resume", "last", "--max-tokens", 100000, "--stop-after", "runs", *common, OPENAI_API_KEY="sk-x"
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_dry_run_checks_estimates_and_starts_nothing(tmp_path, idea):
    done = launch(
        "--idea",
        idea,
        "--template",
        TEMPLATE,
        "--model",
        "ollama/qwen3",
        "--dry-run",
        "--api-base",
        "http://127.0.0.1:9",
        "--workspace",
        tmp_path / "ws",
    )
    assert "Estimate: about" in done.stdout or "ollama" in done.stderr
    assert not list((tmp_path / "ws").glob("2*"))


def test_dry_run_and_doctor_send_each_model_one_tiny_request_and_offline_none(tmp_path, idea):
    common = ("--template", TEMPLATE, "--model=openai/gpt-4o", "--workspace", tmp_path / "ws")
    with FakeProvider([reply("ready")]) as provider:
        common += ("--api-base", provider.url, "--fallback", "openai/gpt-4.1")
        for words in (("--idea", idea, "--dry-run"), ("--doctor",)):
            assert launch(*words, *common, "--offline", OPENAI_API_KEY="sk-x").returncode == 0
            assert provider.history == []
            done = launch(*words, *common, OPENAI_API_KEY="sk-x")
            assert done.returncode == 0, done.stdout + done.stderr
            assert [request.body["model"] for request in provider.history] == ["gpt-4.1", "gpt-4o"]
            provider.history.clear()


@pytest.mark.parametrize("words", [("--dry-run",), ()], ids=["dry run", "session"])
def test_an_address_where_nobody_answers_is_one_line_at_once(workspace, idea, words):
    with FakeProvider([]) as provider:
        gone = provider.url
    common = ("--template", TEMPLATE, "--model", "openai/gpt-4o", "--api-base", gone, "--workspace", workspace)

    done = launch("--idea", idea, *common, *words, OPENAI_API_KEY="sk-x")

    line = f"model openai/gpt-4o: no server answers at {gone}; start it, or correct --api-base"
    assert done.returncode == (2 if words else 3)
    assert line in (done.stderr if words else done.stdout)
    assert "asking again" not in done.stdout and "(500)" not in done.stdout


def test_offline_alone_says_what_it_goes_with(tmp_path, idea):
    done = launch("--idea", idea, "--offline", "--workspace", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("launch.py: --offline: it goes with --dry-run")


@pytest.mark.parametrize("how", ["--api-base", "OPENAI_BASE_URL"])
def test_a_resume_asks_the_same_server_and_says_which(workspace, idea, how):
    common = ("--workspace", workspace)
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        words = (how, provider.url) if how == "--api-base" else ()
        environment = {} if words else {how: provider.url}
        new = ("--idea", idea, "--template", TEMPLATE, "--model", "openai/gpt-4o", "--runs", 1, "--no-pdf")
        started = launch(*new, *words, "--stop-after", "plan", *common, OPENAI_API_KEY="sk-x", **environment)
        assert f"Models are asked at {provider.url} ({how})" in started.stdout, started.stderr
        asked = len(provider.history)

        done = launch("resume", "last", "--stop-after", "runs", *common, OPENAI_API_KEY="sk-x")

        assert done.returncode == 0, done.stdout + done.stderr
        assert f"Models are asked at {provider.url} ({how})" in done.stdout
        assert len(provider.history) > asked


def test_an_address_with_a_password_is_refused_in_one_line(workspace, idea):
    new = ("--idea", idea, "--template", TEMPLATE, "--model", "openai/gpt-4o", "--workspace", workspace)
    typed = launch(*new, "--api-base", "http://me:secret@127.0.0.1:9", OPENAI_API_KEY="sk-x")
    set_ = launch(*new, OPENAI_API_KEY="sk-x", OPENAI_BASE_URL="http://me:secret@127.0.0.1:9")
    for done in (typed, set_):
        assert done.returncode == 2 and "password" in done.stderr and "secret" not in done.stdout + done.stderr
    assert not list(workspace.glob("2*"))


def test_status_and_follow_show_a_session(workspace, idea):
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        launch(
            "--idea",
            idea,
            "--template",
            TEMPLATE,
            "--model",
            "openai/gpt-4o",
            "--runs",
            1,
            "--stop-after",
            "plan",
            "--api-base",
            provider.url,
            "--workspace",
            workspace,
            OPENAI_API_KEY="sk-x",
        )
    status = launch("status", "--workspace", workspace).stdout
    assert "tiny_idea" in status
    assert "stopped" in status
    assert "plan: step 5" in launch("--follow", "last", "--workspace", workspace).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--idea", "nowhere"), "idea 'nowhere': not found"),
        (("--idea", "hierarchical_sae", "--template", "nowhere"), "--template nowhere: not found"),
        (("--idea", "hierarchical_sae", "--profile", "nowhere"), "--profile nowhere"),
        (("--idea", "hierarchical_sae", "--runs", "201"), "--runs"),
        (("--idea", "hierarchical_sae", "--attempts", "0"), "--attempts"),
        (("--idea", "hierarchical_sae", "--planner", "openai/x"), "no model for editor, writer, reviewer"),
        (("--idea", "adaptive_sparse_orthogonal_sae"), "no shipped recording"),
        (("--idea", "hierarchical_sae", "--baselines", "nowhere"), "--baselines nowhere"),
        (("--idea", "hierarchical_sae", "--baselines", "topk,topk"), "topk is named twice"),
        (("run", "hierarchical_sae", "--slots", "0"), "--slots 0: give 1 to"),
        (("run", "hierarchical_sae", "--slots", "100000"), "--slots 100000: give 1 to"),
        (("run", "hierarchical_sae", "--device", "tpu"), "--device tpu: give cpu, cuda, or cuda:N"),
        (("check-template", "synth_sae", "--device", "gpu0"), "--device gpu0: give cpu, cuda, or cuda:N"),
        (("doctor", "--api-base", "localhost:8000"), "--api-base: give a URL that begins with http://"),
        (("status", "--runs", "3"), "launch.py status: --runs belongs to run and resume"),
        (("--resume", "nowhere"), "session 'nowhere': not found"),
        (("--idea", "hierarchical_sae", "--playback", "/nowhere"), "--playback"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(tmp_path, words, said):
    done = launch(*words, "--workspace", tmp_path / "ws")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list((tmp_path / "ws").glob("2*")) if (tmp_path / "ws").exists() else True


@pytest.mark.parametrize("word", ["--resume", "--follow", "--bundle"])
def test_a_session_killed_before_its_first_event_is_to_be_started_anew(tmp_path, word):
    (tmp_path / "20260101_000000_idea").mkdir()
    (tmp_path / "20260101_000000_idea" / "events.jsonl").touch()
    done = launch(word, "last", "--workspace", tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("20260101_000000_idea: its log is empty; start the idea anew")


def test_every_complaint_is_said_at_once(tmp_path, idea):
    done = launch(
        "--idea",
        idea,
        "--template",
        TEMPLATE,
        "--model",
        "openai/gpt-4o",
        "--device",
        "cuda",
        "--workspace",
        tmp_path / "ws",
    )
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr
    assert "device cuda" in done.stderr


def test_list_shows_ideas_with_their_recordings_and_says_what_its_star_means():
    done = launch("--list")
    assert done.returncode == 0
    assert re.search(r"^hierarchical_sae .* lm_sae, synth_sae$", done.stdout, re.MULTILINE)
    assert "demo*" in done.stdout and "* the profile" in done.stdout
    told = json.loads(launch("--list", "--json").stdout)
    assert {"name": "hierarchical_sae", "recordings": ["lm_sae", "synth_sae"]}.items() <= told["ideas"][4].items()
    assert told["templates"][1]["default_profile"] == "demo" and told["problems"] == []
    assert "gemma-2-2b\u2020" in done.stdout and "\u2020 its settings were taken over" in done.stdout
    assert "gemma-2-2b" in told["templates"][0]["untuned_profiles"]


def test_doctor_says_what_holds_here(tmp_path):
    told = json.loads(launch("--doctor", "--json", "--workspace", tmp_path).stdout)
    assert told["well"] is True and told["mend"] == [] and "memory" in told["limits"]
    assert {"version", "python", "packages", "models", "gpu", "sandbox", "device", "disk"} <= set(told)
    assert "TeX" in told["tex"] and str(tmp_path) in told["sessions"] and "signing key" in told


def test_before_set_up_one_line_says_what_to_do(tmp_path):
    (tmp_path / "launch.py").write_text((ROOT / "launch.py").read_text())
    (tmp_path / "agent").symlink_to(ROOT / "agent")
    done = subprocess.run(
        [sys.executable, "-S", "-E", tmp_path / "launch.py", "list"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "make setup" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
