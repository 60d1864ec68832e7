"""The schematic draws what the described run's record holds, and nothing else; without sizes there is none."""

import pytest

from agent.core.manifest import Schematic
from paper.evidence.facts import Facts
from paper.pictures.figures import standard_figures
from paper.pictures.schematic import parts_of, schematic
from paper.press.render import render
from tests.support import paper_fixture as given

SPEC = Schematic(tiers="tier_", schedule="l0")


def facts(tiers=(32, 128, 512), export="SAELens: topk", l0=(20.0, 8.0), spec=SPEC, of=lambda seed, tiers: tiers):
    """The fixture, whose runs reported these prefixes and latents a row, and whose export has this form."""
    records = [
        r.model_copy(update={"trainings": tuple(_told(t, of(t.seed, tiers), export, l0) for t in r.trainings)})
        for r in given.records()
    ]
    return Facts(records, given.manifest().model_copy(update={"schematic": spec}), "mini")


def _told(training, tiers, export, l0):
    steps = training.curves.get("step", ())
    update = {
        "export": export,
        "diagnostics": {f"tier_{place}": float(width) for place, width in enumerate(tiers, start=1)},
        "curves": {**training.curves, "l0": tuple(l0[i >= len(steps) // 2] for i in range(len(steps)))},
    }
    return training.model_copy(update=update) if training.outcome == "measured" else training


def test_sizes_form_prefixes_and_schedule_come_from_the_record_and_stand_in_the_caption(tmp_path):
    known = facts()
    parts = parts_of(known)
    drawn = schematic(known, tmp_path)

    assert (parts.d_in, parts.d_sae, parts.l0, parts.choice) == (256, 512, "8", "topk")
    assert parts.tiers == (32, 128, 512) and parts.schedule[1][0] == 20 and parts.schedule[1][-1] == 8
    assert drawn.file.stat().st_size > 1000 and known.described.label in drawn.caption
    assert "each row keeps its 8 largest" in drawn.caption and "32, 128 and 512 latents" in drawn.caption


@pytest.mark.parametrize(
    "tiers",
    [(), (512,), (128, 32, 512), (32, 128), (32.5, 512), (32, 128, 512, 1024)],
    ids=["none", "one", "falling", "not all latents", "no count", "more than all"],
)
def test_prefixes_that_are_no_prefixes_of_the_dictionary_are_not_drawn(tiers):
    assert parts_of(facts(tiers=tiers)).tiers == ()


def test_what_trainings_disagree_in_is_not_drawn():
    assert parts_of(facts(of=lambda seed, tiers: (seed, 512))).tiers == ()


def test_a_form_that_the_runner_did_not_recognise_and_a_constant_number_of_latents_are_not_told(tmp_path):
    known = facts(export="own class", l0=(8.0, 8.0), tiers=())
    caption = schematic(known, tmp_path).caption

    assert parts_of(known).choice == "" and parts_of(known).schedule is None
    assert "inference" not in caption and "prefixes" not in caption and "over the training" not in caption


@pytest.mark.parametrize("spec", [None, Schematic(d_sae="width")], ids=["none declared", "no such setting"])
def test_without_a_declaration_or_a_size_there_is_no_schematic(tmp_path, spec):
    assert schematic(facts(spec=spec), tmp_path) is None


def test_a_schematic_that_no_sentence_mentions_opens_the_method_and_one_that_is_mentioned_stands_there_once(tmp_path):
    fixture, known = given.fixture(), facts()
    figures = standard_figures(known, tmp_path)
    told = fixture.sections | {"results": fixture.sections["results"] + "\n\nSee [@fig:schematic].\n"}
    texts = [
        render(sections, known, figures, fixture.library, fixture.meta).tex for sections in (fixture.sections, told)
    ]

    assert all(text.count(r"\label{fig:schematic}") == 1 for text in texts)
    assert texts[0].index(r"\label{sec:method}") < texts[0].index(r"\label{fig:schematic}")
    assert texts[0].index(r"\label{fig:schematic}") < texts[0].index(r"\label{sec:experimental_setup}")
