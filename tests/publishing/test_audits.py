"""What --verify adds in words: a signature says nothing against code that could read the key."""

from agent.publishing.verify.audits import unwalled
from tests.support.records import record


def test_runs_without_walls_are_named_as_what_could_have_read_the_key():
    walled, bare = record(run=1), record(run=2, sandbox="none")
    assert unwalled([walled]) == ""
    said = unwalled([walled, bare])
    assert said.startswith("Run 2 ran without a sandbox") and "signing key" in said
