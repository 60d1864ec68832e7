"""Who may ask the server, and what: asked over ASGI, without a network."""

import asyncio
import re

import pytest

from agent.pages.serving.control import Control
from agent.pages.serving.guard import Gate
from agent.pages.serving.live import Streams
from agent.pages.serving.site import Site
from agent.storage.locks import session_lock
from agent.storage.workspace import Workspace
from tests.support.paged import many_runs

TOKEN = "the-token-of-this-server"
HERE = "127.0.0.1:8765"
OURS = {"origin": f"http://{HERE}"}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return many_runs(tmp_path_factory.mktemp("served"), 2)


def site(paths, *, control=True, closed=False, launcher=("true",)):
    workspace = Workspace(paths.root.parent)
    gate = Gate("127.0.0.1", 8765, TOKEN if control or closed else "", closed)
    orders = Control(workspace, launcher, background=lambda run: run()) if control else None
    return Site(workspace, gate, lambda event, session: event.type, orders, Streams())


def ask(made, path, method="GET", body=b"", **headers):
    """Status, headers and body of one request."""
    path, _, query = path.partition("?")
    given = {"host": HERE, **headers}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "server": ("127.0.0.1", 8765),
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "root_path": "",
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(made.app()(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(m.get("body", b"") for m in sent)


def order(made, paths, name, body, **headers):
    return ask(made, f"/session/{paths.root.name}/{name}", "POST", body, **headers)


def test_sessions_are_shown_with_a_policy_that_lets_nothing_else_run(paths):
    status, headers, body = ask(site(paths), "/")

    assert status == 200
    assert paths.root.name.encode() in body
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:8765", ""]
)
def test_a_name_that_is_not_this_servers_is_refused(paths, host):
    assert ask(site(paths), "/", host=host)[0] == 421


@pytest.mark.parametrize("host", ["localhost:8765", "[::1]:8765", "LOCALHOST:8765"])
def test_its_own_names_are_taken(paths, host):
    assert ask(site(paths), "/", host=host)[0] == 200


def test_an_address_open_to_others_asks_for_the_token_also_to_read(paths):
    made = site(paths, control=False, closed=True)

    assert ask(made, "/")[0] == 403
    assert ask(made, "/?token=wrong")[0] == 403
    status, headers, _ = ask(made, f"/?token={TOKEN}")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert ask(made, "/", cookie=cookie.split(";")[0])[0] == 200
    assert ask(made, "/", host="evil.example:8765", cookie=cookie.split(";")[0])[0] == 421


@pytest.mark.parametrize("origin", [{}, {"origin": "null"}, {"origin": "http://evil.example"}])
def test_an_order_from_elsewhere_is_refused(paths, origin):
    body = f"token={TOKEN}&text=hello".encode()

    assert order(site(paths), paths, "feedback", body, **origin)[0] == 403
    assert not paths.feedback.exists()


@pytest.mark.parametrize("body", [b"", b"text=hello", b"token=&text=hello", b"token=wrong&text=hello", b"x" * 50_000])
def test_an_order_without_the_token_is_refused(paths, body):
    assert order(site(paths), paths, "feedback", body, **OURS)[0] == 403
    assert not paths.feedback.exists()


def test_without_control_there_is_no_button_and_nothing_that_takes_an_order(paths):
    made = site(paths, control=False)

    assert b"<form" not in ask(made, f"/session/{paths.root.name}/")[2]
    assert order(made, paths, "stop", f"token={TOKEN}".encode(), **OURS)[0] in (404, 405)


def test_buttons_are_there_for_those_alone_who_came_with_the_token(paths):
    made = site(paths)

    assert b"<form" not in ask(made, f"/session/{paths.root.name}/")[2]
    assert b"<form" in ask(made, f"/session/{paths.root.name}/", cookie=f"runner-8765={TOKEN}")[2]


def test_a_word_to_the_planner_is_left_where_the_session_looks(paths):
    made = site(paths)

    status, headers, _ = order(made, paths, "feedback", f"token={TOKEN}&text=Try+a+lower+rate.".encode(), **OURS)

    assert (status, headers["location"]) == (303, f"/session/{paths.root.name}/#control")
    assert paths.feedback.read_text() == "Try a lower rate.\n"
    paths.feedback.unlink()


@pytest.mark.parametrize("command", ["stop", "resume", "verify"])
def test_a_button_types_the_command_of_a_person(paths, command):
    made = site(paths, launcher=("echo", "typed"))

    order(made, paths, command, f"token={TOKEN}".encode(), **OURS)

    said = made.control.answers[paths.root.name]
    assert re.search(rf"typed {command} {paths.root.name} --workspace .*status 0", said, re.DOTALL)


def test_a_session_that_runs_is_not_resumed_a_second_time(paths):
    made = site(paths, launcher=("false",))
    with session_lock(paths.lock):
        order(made, paths, "resume", f"token={TOKEN}".encode(), **OURS)

    assert made.control.answers[paths.root.name] == "It runs already."


@pytest.mark.parametrize(
    "path",
    [
        "/session/../",
        "/session/%2e%2e/",
        "/session//etc/",
        "/session/none/",
        "/session/NAME/call/../../events",
        "/session/NAME/call/..%2fevents",
        "/session/NAME/call/plan.9",
        "/session/NAME/secrets",
        "/static/pages.js",
    ],
)
def test_nothing_in_an_address_is_a_path(paths, path):
    assert ask(site(paths, control=False), path.replace("NAME", paths.root.name))[0] == 404


def test_the_pdf_is_handed_out_behind_the_same_guard(tmp_path):
    paths = many_runs(tmp_path, 1)
    address, pdf = f"/session/{paths.root.name}/paper.pdf", paths.repo / "paper/paper.pdf"
    made = site(paths, control=False, closed=True)
    cookie = {"cookie": ask(made, f"/?token={TOKEN}")[1]["set-cookie"].split(";")[0]}
    pdf.parent.mkdir(exist_ok=True)
    pdf.unlink(missing_ok=True)

    assert ask(made, address, **cookie)[0] == 404
    pdf.write_bytes(b"<script>no PDF</script>")
    assert ask(made, address, **cookie)[0] == 404
    pdf.write_bytes(b"%PDF-1.7 of a paper")
    status, headers, body = ask(made, address, **cookie)
    assert (status, headers["content-type"], body) == (200, "application/pdf", b"%PDF-1.7 of a paper")
    assert headers["x-content-type-options"] == "nosniff"
    assert ask(made, address)[0] == 403
    assert ask(made, address, host="evil.example:8765", **cookie)[0] == 421
    pdf.rename(tmp_path / "elsewhere.pdf")
    pdf.symlink_to(tmp_path / "elsewhere.pdf")
    assert ask(made, address, **cookie)[0] == 404  # a link out of the session is not followed


def test_one_exchange_is_shown_whole(paths):
    status, _, body = ask(site(paths), f"/session/{paths.root.name}/call/run-1.comment.1")

    assert status == 200
    assert body.count(b"An answer to run-1.comment.") == 150


def test_a_change_between_a_page_and_its_stream_is_not_missed(paths):
    made = site(paths)
    page = ask(made, f"/session/{paths.root.name}/")[2].decode()
    seen = re.search(r'data-live="[^"]*seen=(\w+)"', page)[1]

    def first_of(stream, most):
        async def read():
            return [await anext(stream) for _ in range(most)]

        return asyncio.run(read())

    state = lambda: made.state(paths)  # noqa: E731
    assert first_of(made.streams.stream("another", state, lambda: ""), 2)[1].startswith("event: changed")
    told = first_of(made.streams.stream(seen, state, lambda: '{"fraction": 0.5}'), 2)
    assert told[1].startswith("event: progress")  # and no change
