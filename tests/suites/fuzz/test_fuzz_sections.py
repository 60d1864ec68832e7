"""`make fuzz`, the section files: each becomes LaTeX that compiles, or a refusal that says why."""

import time

import pytest

from agent.sandbox.boxes import BubblewrapSandbox
from paper.press.compile import read_log
from paper.text.parser import MAX_BLOCK, parse
from paper.truth import checks
from tests.suites.fuzz.mutate import REPEATED
from tests.suites.fuzz.sections import fuzz_sections
from tests.support import sampling
from tests.support.paper_fixture import fixture

FILES = 504  # 56 papers
PAPERS = 56 if sampling.everything() else 14
SEED = 1


def few(papers):
    return sampling.sample(papers, PAPERS, "papers")


@pytest.mark.timeout(1500)
def test_bent_section_files_compile_or_are_refused_with_a_reason(tmp_path_factory, say_at_the_end):
    root = tmp_path_factory.mktemp("papers")
    root.chmod(0o755)
    report = fuzz_sections(root, BubblewrapSandbox(), count=FILES, seed=SEED, tried=few)
    say_at_the_end(f"fuzz: {report.line()}")

    assert report.crashes == []
    assert len(report.papers) == PAPERS
    assert report.compiled + report.refused >= PAPERS * 9
    assert report.compiled > 3.5 * PAPERS and report.refused > PAPERS / 3
    reasons = [reason for paper in report.papers for reason in paper.unset.values()]
    assert reasons or not sampling.everything(), "bend formulas more: TeX refused none"
    assert not [reason for reason in reasons if "Fatal error" in reason]


def test_what_stands_before_the_fatal_error_is_the_reason():
    log = (
        "paper.tex:12: Limit controls must follow a math operator.\nl.12 x\n"
        "paper.tex:12:  ==> Fatal error occurred, no output PDF file produced!\n"
    )
    assert [problem.text for problem in read_log(log)] == ["Limit controls must follow a math operator."]


def test_an_overlong_paragraph_is_refused_and_the_rest_is_read():
    section = parse("method", "One.\n\n" + "word " * (MAX_BLOCK // 5 + 1) + "\n\nTwo $x$.\n")
    assert [refused.line for refused in section.refused] == [3]
    assert f"at most {MAX_BLOCK} characters" in section.refused[0].text
    assert [(s.flat[:3], s.line) for s in section.sentences] == [("One", 1), ("Two", 5)]


@pytest.mark.parametrize("unit", REPEATED, ids=repr)
def test_no_repetition_takes_a_section_long(unit):
    given = fixture()
    text = f"{given.sections['results']}\n\nThe score {unit * (MAX_BLOCK // len(unit) - 10)} is so.\n"
    started = time.process_time()
    checks.check({**given.sections, "results": text}, given.facts, (), (), given.library)
    assert time.process_time() - started < 15
