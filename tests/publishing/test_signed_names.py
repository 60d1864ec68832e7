"""The name of a signed tag is one that every reader of foreign trees takes, whatever the signature begins with."""

from agent.publishing.signatures import commit_tag, signs_commit
from agent.storage.foreign import is_plain
from agent.storage.signing import own_signer


def test_no_signature_makes_a_tag_that_cannot_be_read():
    signer, commits = own_signer(), [f"{n:040x}" for n in range(300)]
    tags = [commit_tag(signer, commit) for commit in commits]

    assert [tag for tag in tags if not is_plain(tag)] == []
    assert all(signs_commit(tag, commit) == signer.public for tag, commit in zip(tags, commits, strict=True))


def test_a_tag_of_an_older_version_is_still_a_signature():
    signer, commit = own_signer(), "0" * 40
    assert signs_commit(commit_tag(signer, commit).replace("ed25519-", ""), commit) == signer.public
