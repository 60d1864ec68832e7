"""A session keeps its world, whatever becomes of the cache; where it cannot, it stops in one line."""

import shutil
import stat

import pytest

from agent.core.errors import InfrastructureError
from agent.core.template import load_template
from agent.lab.own_worlds import Begun, OwnWorlds
from agent.lab.worlds import world_secret
from tests.support.tiny import TINY

PROFILE = TINY.manifest.profiles["tiny"]


class One:
    """A session that has begun with its world."""

    def __init__(self, root):
        shutil.copytree(TINY.folder, root / "template")
        self.cache, self.secrets, self.said = root / "cache", root / "session/secrets", []
        self.first = self.data(Begun())
        self.begun = Begun(self.first.key, self.first.hashes)

    def data(self, begun, world=0):
        template = load_template(self.secrets.parents[1] / "template")
        worlds = OwnWorlds(self.secrets, self.cache, self.said.append, use=lambda folder: None)
        return worlds.data(template, "tiny", PROFILE, world, begun)


@pytest.fixture
def session(tmp_path):
    return One(tmp_path)


def test_a_cache_that_was_deleted_is_built_again_from_the_sessions_own_secret(session):
    shutil.rmtree(session.cache)

    assert session.data(session.begun) == session.first
    assert "making a world" in session.said[0]
    assert ["is gone; built again from the secret" in line for line in session.said[1:]] == [True]
    assert not (session.cache / "secrets").exists()  # the next idea draws another world
    assert stat.S_IMODE(session.secrets.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in session.secrets.iterdir()] == [0o600]


def test_another_session_does_not_change_its_world(session):
    shutil.rmtree(session.cache)
    shutil.move(session.secrets, session.secrets.with_name("first"))
    other = session.data(Begun())
    shutil.rmtree(session.secrets)
    shutil.move(session.secrets.with_name("first"), session.secrets)

    assert other.key != session.first.key and session.data(session.begun) == session.first


def test_the_world_of_the_confirmation_is_kept_too(session):
    fresh = session.data(Begun(), world=1)
    shutil.rmtree(session.cache)

    assert session.data(Begun(), world=1) == fresh and fresh.key != session.first.key


def test_a_secret_that_an_older_version_left_in_the_cache_alone_is_missed_in_one_line_and_not_drawn_anew(session):
    shutil.rmtree(session.secrets)
    shutil.rmtree(session.cache)

    with pytest.raises(InfrastructureError, match=r"\A.*their secret is gone with them: restore .*resume.*\Z"):
        session.data(session.begun)
    assert not (session.cache / "secrets/tiny-world-0").exists()

    world_secret(session.cache, TINY.manifest.name)  # of another session, which is not taken for it
    with pytest.raises(InfrastructureError, match="their secret is gone with them"):
        session.data(session.begun)


def test_data_that_are_still_there_serve_a_session_whose_packages_or_template_changed(session):
    with open(session.secrets.parents[1] / "template/prepare.py", "a") as file:
        file.write("# changed\n")

    assert session.data(session.begun) == session.first

    shutil.rmtree(session.first.train.parent)
    with pytest.raises(InfrastructureError, match=r"\A.*cannot be made again, because .*prepare.py.*undo that.*\Z"):
        session.data(session.begun)


def test_data_of_other_content_are_not_taken(session):
    other = Begun(session.first.key, {**session.first.hashes, "truth/x.npy": "0" * 64})

    with pytest.raises(InfrastructureError, match="truth/x.npy: is not the file that this session began with. Remove"):
        session.data(other)
