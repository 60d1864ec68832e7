"""The simulated night is played by the real policy, log and places."""

from agent.session.policy import Stop, next_action
from agent.session.session import fold
from tests.suites.bench.simulation import SEEDS, TRAINING_S, Night


def test_a_night_ends_for_every_idea_and_never_uses_more_places_than_there_are(tmp_path):
    night = Night(tmp_path, ideas=5, places=2)
    night.play()

    for one in night.sessions:
        session = fold(one.log.read())
        assert isinstance(next_action(session), Stop) and session == one.session
    trained = sum(event.type == "run_submitted" for one in night.sessions for event in one.log.read()) * SEEDS
    assert 0.9 * trained * TRAINING_S < night.busy_s <= 2 * night.now
