"""What an editor is told of a library that experiments may import."""

import ast
from pathlib import Path

import saes

from agent.lab.templating.outline import MOST, outline

FILES = {path.name: path.read_text() for path in Path(saes.__file__).parent.glob("*.py")}


def test_every_name_that_the_library_offers_is_told_with_its_signature():
    text = outline(FILES)
    assert [name for name in saes.__all__ if f" {name}(" not in text and f"class {name}" not in text] == []
    assert "class BatchTopKSAE(TopKSAE): The batch keeps l0 latents" in text
    assert "    k_now(step): How many latents a row the batch keeps; override it to anneal." in text
    assert "class EncoderBias(SAE)" in text, "the parent whose methods a subclass overrides"
    assert "aux_scale=AUX_SCALE" in text and "_parsed" not in text


def test_modules_that_the_first_page_does_not_import_are_left_out():
    assert "stream.py" in FILES and "stream.py:" not in outline(FILES)


def test_a_library_without_a_first_page_is_told_whole_and_one_that_cannot_be_read_not_at_all():
    assert outline({"tools.py": 'def scale(x, by=2):\n    """Twice."""\n\n\ndef _own(x): ...\n'}) == (
        "tools.py:\n  scale(x, by=2): Twice."
    )
    assert outline({"broken.py": "def (", "empty.py": ""}) == "" == outline({})


def test_an_outline_is_bounded():
    many = "\n".join(f"def function_{n}(argument): ..." for n in range(5000))
    assert ast.parse(many) and len(outline({"many.py": many})) == MOST


def test_what_is_read_as_an_attribute_is_shown_without_parentheses():
    code = 'class Box:\n    @property\n    def size(self):\n        """How large."""\n\n    def grow(self, by): ...\n'
    told = outline({"a.py": code})

    assert "size (a property): How large." in told and "grow(by)" in told
