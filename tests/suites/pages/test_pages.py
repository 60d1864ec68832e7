"""Pages in a real Chromium: finished, live, hostile, of 200 runs; by keyboard, on a phone, dark, without a script."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.app.follow import describe
from agent.core.paths import SessionPaths
from agent.core.visible import visible
from agent.pages.command import page_of
from agent.storage.locks import session_lock
from tests.suites.pages.hostile import STRINGS, planted
from tests.support import ROOT, paged
from tests.support.frozen import finished
from tests.support.sampling import sample

STRUCTURE = (Path(__file__).parent / "structure.js").read_text()
PARTS = (
    *("timeline", "runs", "planes", "curves", "confirmation", "cards", "figures", "paper", "review", "literature"),
    *("costs", "exchanges", "events"),
)
PHONE = {"width": 390, "height": 844}
LARGEST, MADE_S, OPENED_S = 5_000_000, 3.0, 1.0  # of a page of 200 runs, on a machine with nothing else to do
PATIENCE = 4  # times as long on one that others use as well


@pytest.fixture(scope="module")
def chromium():
    with paged.browser() as found:
        yield found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished session's page as a file."""
    folder = tmp_path_factory.mktemp("whole")
    return _written(SessionPaths(finished(folder)), folder)


def _written(paths, folder):
    path = folder / f"{paths.root.name}.html"
    path.write_bytes(page_of(paths, describe))
    return path


class Tab:
    """A page in a tab, with what went wrong in it and what it asked the network for."""

    def __init__(self, browser, address, **chosen):
        self.context = browser.new_context(**chosen)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.wrong, self.asked = [], []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("dialog", lambda dialog: (self.wrong.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address if "://" in address else Path(address).as_uri())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.context.close()


def open_all(page):
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")


# ---------------------------------------------------------------- a finished session


def test_a_finished_session_asks_nothing_of_the_network_and_has_every_part(chromium, whole):
    with Tab(chromium, str(whole)) as tab:
        for part in PARTS:
            assert tab.page.locator(f"#{part}").is_visible(), part
        assert "improvement is confirmed" in tab.page.locator(".sentence").inner_text()
        assert "73 of 73 numbers verified" in tab.page.locator(".badges").inner_text()
        assert [url for url in tab.asked if not url.startswith("data:")] == [whole.as_uri()]
        assert tab.wrong == []


def test_a_number_of_the_paper_leads_to_its_origin(chromium, whole):
    with Tab(chromium, str(whole)) as tab:
        number = tab.page.locator("a.number", has_text="±").first
        printed = number.inner_text()
        number.click()
        origin = tab.page.locator(".origins li:target")
        origin.wait_for()

        text = origin.inner_text()
        assert origin.locator(".prints").inner_text().split(" (")[0] in printed
        assert re.search(r"\w+\(.*\)", text) and "record" in text and "commit" in text
        origin.locator(".from a").first.click()
        assert tab.page.locator(".card-body:target").is_visible()


def test_tables_sort_prompts_are_searched_and_axes_are_chosen(chromium, whole):
    with Tab(chromium, str(whole)) as tab:
        rows = tab.page.locator("#table-runs tbody tr th a")
        head = tab.page.locator("#table-runs thead button", has_text="score")
        head.click()
        falling = rows.all_inner_texts()
        head.click()
        assert rows.all_inner_texts() == falling[::-1]

        tab.page.get_by_label("Search prompts and replies").fill("larger step")
        shown = tab.page.locator("details.exchange:visible").count()
        assert 0 < shown < tab.page.locator("details.exchange").count()

        tab.page.get_by_label("Horizontal").select_option("l0")
        assert "against L0" in tab.page.locator("#plane svg:visible").get_attribute("aria-label")
        assert tab.wrong == []


def test_without_a_script_everything_can_be_read(chromium, whole):
    with Tab(chromium, str(whole), java_script_enabled=False) as tab:
        assert tab.page.locator("#plane .point").count() > 0
        assert tab.page.locator("#table-runs tbody tr").count() == 3
        assert tab.page.locator(".tools:visible").count() == 0
        tab.page.locator("a.number").first.click()
        assert tab.page.locator(".origins li:target").is_visible()
        tab.page.locator("#table-runs tbody a").last.click()
        assert tab.page.locator(".card-body:target").is_visible()  # the browser itself opens what a link leads into


def test_by_keyboard_the_contents_come_first_and_every_part_can_be_opened(chromium, whole):
    with Tab(chromium, str(whole)) as tab:
        tab.page.keyboard.press("Tab")
        assert tab.page.evaluate("document.activeElement.className") == "skip"
        tab.page.keyboard.press("Tab")
        assert tab.page.evaluate("document.activeElement.closest('nav').id") == "contents"
        tab.page.locator("#cards summary").first.focus()
        tab.page.keyboard.press("Enter")
        assert tab.page.locator("#cards details").first.get_attribute("open") is not None
        ring = tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(chromium, whole, scheme):
    with Tab(chromium, str(whole), viewport=PHONE, color_scheme=scheme) as tab:
        open_all(tab.page)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        background = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (scheme == "dark")
        tab.page.locator("a.number").first.click()
        box = tab.page.locator(".origins li:target").bounding_box()
        assert box["y"] + box["height"] <= PHONE["height"] + 1  # a sheet at the foot of the screen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing(chromium, whole, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    with Tab(
        chromium, str(whole), viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    ) as tab:
        open_all(tab.page)
        found = Axe().run(tab.page).response["violations"]
        assert [(v["id"], [n["target"] for n in v["nodes"][:3]]) for v in found] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_contents_and_an_opened_anchor_lead_to_where_a_section_begins(chromium, whole, width):
    top = "(part) => document.querySelector(part).getBoundingClientRect().top"
    with Tab(chromium, str(whole), viewport={"width": width, "height": 844}) as tab:
        for part in ("#review", "#runs", "#literature", "#paper"):
            tab.page.locator(f".contents a[href='{part}']").click()
            tab.page.wait_for_timeout(1500)  # the page glides there
            assert abs(tab.page.evaluate(top, part) - 24) < 3, part
    with Tab(chromium, f"{whole.as_uri()}#paper", viewport={"width": width, "height": 844}) as tab:
        tab.page.wait_for_load_state("load")
        assert abs(tab.page.evaluate(top, "#paper") - 24) < 3


def test_a_table_wider_than_its_box_says_so_and_keeps_the_names_of_its_rows_in_view(chromium, whole):
    with Tab(chromium, str(whole), viewport=PHONE) as tab:
        box = tab.page.get_by_role("region", name="All explored runs")
        heads = box.locator("thead th").all_inner_texts()
        assert [head.split("\n")[0].strip() for head in heads[:3]] == ["Run", "score", "To baseline"]
        for place in (1, 2):
            cell = box.locator("tbody tr").last.locator("th, td").nth(place).bounding_box()
            assert cell["x"] + cell["width"] <= PHONE["width"], heads[place]
        assert "scroll it sideways" in tab.page.locator("#runs .wider").first.inner_text()
        box.focus()
        assert tab.page.evaluate("document.activeElement.getAttribute('aria-label')") == "All explored runs"
        box.evaluate("(box) => { box.scrollLeft = 200; }")
        name = box.locator("tbody th").last.bounding_box()
        assert abs(name["x"] - box.bounding_box()["x"]) < 2


# ---------------------------------------------------------------- hostile words


@pytest.mark.parametrize("text", sample(STRINGS, 3, "hostile words"), ids=lambda text: repr(text)[:40])
def test_a_hostile_text_is_text_in_every_place(chromium, tmp_path, text):
    path = _written(planted(tmp_path, text), tmp_path)
    with Tab(chromium, str(path)) as tab:
        tab.page.evaluate("document.addEventListener('securitypolicyviolation', () => { window.__refused = 1; })")
        open_all(tab.page)
        tab.page.locator("a.number").first.click()

        assert tab.page.evaluate("[window.__pwned, window.__refused]") == [None, None]
        assert tab.wrong == []
        assert [url for url in tab.asked if not url.startswith(("data:image/png", "file:"))] == []
        assert tab.page.evaluate(STRUCTURE) == []
        words = "".join(visible(text).split())[:60]
        places = "".join(tab.page.locator("main").text_content().split()).count(words)
        assert places >= 25, places


# ---------------------------------------------------------------- many runs


def test_a_page_of_200_runs_is_small_quickly_made_and_quickly_opened(chromium, tmp_path, say_at_the_end):
    paths = paged.many_runs(tmp_path, 200)
    page_of(paths, describe)  # what Python loads for the first page is not the page's time
    began = time.perf_counter()
    data = page_of(paths, describe)
    made = time.perf_counter() - began
    path = tmp_path / "many.html"
    path.write_bytes(data)
    with Tab(chromium, str(path)) as tab:
        timing = tab.page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        rows = tab.page.locator("#table-runs tbody tr").count()
    say_at_the_end(f"page of 200 runs: {len(data) / 1e6:.1f} MB, made in {made:.1f} s, opened in {timing / 1000:.2f} s")

    assert rows == 201
    assert len(data) < LARGEST
    assert made < PATIENCE * MADE_S
    assert timing / 1000 < PATIENCE * OPENED_S


# ---------------------------------------------------------------- live


@pytest.fixture
def served(tmp_path):
    """A workspace behind `launch.py serve --control`, and its address."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "launch.py", "serve", "--control", "--workspace", tmp_path / "workspace"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield tmp_path / "workspace", process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(30)


def test_a_live_session_is_followed_from_its_first_event_to_its_paper(chromium, served, tmp_path):
    workspace, address = served
    from playwright.sync_api import expect

    source = SessionPaths(finished(tmp_path))
    lines = source.events.read_text().splitlines(keepends=True)
    source.events.write_text("")
    workspace.mkdir()
    paths = SessionPaths(source.root.rename(workspace / source.root.name))

    def until(kind):
        """Append what happened up to the first event of a kind, as the loop does."""
        while lines:
            with paths.events.open("a") as log:
                log.write(line := lines.pop(0))
            if f'"type":"{kind}"' in line:
                return

    with session_lock(paths.lock), Tab(chromium, address) as tab:
        expect(tab.page.locator("table")).to_have_count(1)
        until("session_started")
        link = tab.page.get_by_role("link", name="Larger Step")
        expect(link).to_be_visible()
        link.click()
        page = tab.page
        expect(page.locator(".sentence")).to_have_text("Nothing is measured yet.")
        loads = sum(url.endswith("/") for url in tab.asked)
        page.evaluate("window.stayed = true")
        until("planned")
        expect(page.locator("#table-runs tbody tr")).to_have_count(2)
        expect(page.locator(".state.running")).to_have_text("running: runs")
        page.locator("#cards summary").first.click()
        until("reflected")
        expect(page.locator("#table-runs tbody tr")).to_have_count(3)
        assert page.locator("#cards details").first.get_attribute("open") is not None  # what was open stays open
        until("compiled")
        expect(page.locator("#paper a.number").first).to_be_visible()
        until("session_finished")
        expect(page.locator(".sentence")).to_contain_text("the improvement is confirmed")
        expect(page.locator(".badges .state")).to_have_text("done")
        assert page.evaluate("window.stayed") is True  # nothing was loaded anew
        assert sum(url.endswith("/") for url in tab.asked) > loads
        assert tab.wrong == []


def test_a_word_to_the_planner_is_sent_by_a_button(chromium, served, tmp_path):
    workspace, address = served
    source = SessionPaths(finished(tmp_path))
    workspace.mkdir()
    paths = SessionPaths(source.root.rename(workspace / source.root.name))
    with Tab(chromium, address) as tab:
        assert "token" not in tab.page.url
        tab.page.goto(f"{tab.page.url}session/{paths.root.name}/")
        tab.page.get_by_label("A word to the planner").fill("Try a smaller step <b>next</b>.")
        tab.page.get_by_role("button", name="Send").click()

        assert "Sent" in tab.page.locator(".answer").inner_text()
        assert paths.feedback.read_text() == "Try a smaller step <b>next</b>.\n"
        assert tab.page.get_by_role("button", name="Stop the session").is_disabled()
        assert tab.wrong == []
