"""Prompts are files for every field of research: what is of one field comes from template, idea and library."""

import re

import pytest

from agent.llm.prompting import FOLDER
from paper.evidence.expressions import vocabulary

FIELD = re.compile(
    r"autoencoder|\bSAEs?\b|latent|d_sae|\bl0\b|dictionar|spars|\btopk\b|\btiers?\b|activation", re.IGNORECASE
)
PROMPTS = sorted(FOLDER.rglob("*.j2"))


@pytest.mark.parametrize("path", PROMPTS, ids=[path.name for path in PROMPTS])
def test_no_prompt_speaks_of_one_field(path):
    assert FIELD.findall(path.read_text()) == []


def test_the_forms_are_explained_without_words_of_one_field():
    assert FIELD.findall(vocabulary()) == []


def test_every_prompt_says_who_answers_it_or_what_it_is_part_of():
    heads = {path.name: path.read_text().partition("#}")[0] for path in PROMPTS if path.parent == FOLDER}
    assert [name for name, head in heads.items() if not head.startswith("{#")] == []
