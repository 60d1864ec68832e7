"""What suites of several rooms share."""

import pytest

from tests.support import sampling
from tests.support.kills import undisturbed_in


@pytest.fixture(scope="session")
def undisturbed(stages):
    """A session that nobody killed, played once in a run of tests."""
    return undisturbed_in(stages.folder)


def pytest_terminal_summary(terminalreporter):
    if not hasattr(terminalreporter.config, "workerinput"):
        terminalreporter.write_line(sampling.said())
