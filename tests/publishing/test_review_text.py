"""What reviewers of our own papers read: the paper, without the lists that a machine checks better."""

from agent.actions.review import without_listings
from paper.press.appendix import CODE, KINDS, PROVENANCE, RUNS

PAPER = f"""8 Conclusion
The change did not pay.
References
Somebody. A work. 2020.
A {RUNS}
All runs are listed.
B Values by Seed
0.1 0.2
G {CODE}
+RATE = 0.05
H {PROVENANCE}
0.1 mean("ours", "score")
I {KINDS}
Three kinds.
J How This Paper Was Made
By a program.
"""


def test_references_code_and_provenance_are_left_out_and_said_to_be():
    assert without_listings(PAPER).splitlines() == [
        "8 Conclusion",
        "The change did not pay.",
        "References",
        "[left out here]",
        f"A {RUNS}",
        "All runs are listed.",
        "B Values by Seed",
        "0.1 0.2",
        f"G {CODE}",
        "[left out here]",
        f"I {KINDS}",
        "Three kinds.",
        "J How This Paper Was Made",
        "By a program.",
    ]


def test_a_paper_in_another_style_or_without_code_loses_nothing_else():
    capitals = "REFERENCES\nSomebody.\nA " + RUNS.upper() + "\nruns\n"
    assert without_listings(capitals) == f"REFERENCES\n[left out here]\nA {RUNS.upper()}\nruns\n"
    other = "1 Introduction\nThe references of the field are many.\nReferences\nA work.\n"
    assert without_listings(other) == other
