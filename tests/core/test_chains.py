"""Sessions that continue one another are shown as one."""

from agent.core.chains import in_chains


def test_a_session_that_stands_alone_is_a_group_by_itself():
    assert in_chains(["a", "b"], {}) == [["a"], ["b"]]


def test_a_chain_stands_where_its_newest_session_stands():
    assert in_chains(["a", "b", "c", "d"], {"c": "a"}) == [["b"], ["a", "c"], ["d"]]


def test_two_sessions_that_continue_the_same_one_belong_together():
    assert in_chains(["a", "b", "c"], {"b": "a", "c": "a"}) == [["a", "b", "c"]]


def test_one_whose_earlier_session_is_gone_begins_a_chain_of_its_own():
    assert in_chains(["b", "c"], {"b": "gone", "c": "b"}) == [["b", "c"]]
