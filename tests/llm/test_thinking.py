"""agent.llm.thinking: what a model only thought is no answer, and what an answer quotes stays."""

import pytest

from agent.llm.thinking import UNFINISHED, cut

DRAFT = "experiment.py\n```python\n<<<<<<< SEARCH\nLR = 0.1\n=======\nLR = 99.0\n>>>>>>> REPLACE\n```\n"
FINAL = DRAFT.replace("99.0", "0.2")


@pytest.mark.parametrize(
    "thought",
    [
        "<think>{}</think>",
        "<think>\n{}\n</think>\n\n",
        "<thinking>{}</thinking>",
        "<thought>{}</thought>",
        "<reasoning>{}</reasoning>",
        "<Think>{}</Think>",
        "{}\nNo, wait.\n</think>\n\n",
        "{} No, wait.</think>\n",
        "Hm, ```python\nx <<<<<<< {}\n</think>\n",
        "◁think▷{}◁/think▷",
        "[THINK]{}[/THINK]",
        "<|begin_of_thought|>{}<|end_of_thought|>",
        "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
        "<|channel|>analysis<|message|>{}<|channel|>commentary to=x<|message|>{}<|channel|>final<|message|>",
        "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>",
        "analysisWe try {}assistantfinal",
        "<think>a</think>\n<think>{}</think>",
    ],
)
def test_a_draft_in_the_thinking_never_counts(thought: str):
    assert cut(thought.replace("{}", DRAFT) + FINAL) == FINAL


def test_a_block_of_thinking_behind_first_words_is_cut_out():
    assert cut(f"Sure. <think>{DRAFT}</think>{FINAL}") == f"Sure. {FINAL}"
    assert cut(f"{FINAL}<think>Done?</think>Yes.") == f"{FINAL}Yes."


@pytest.mark.parametrize("begun", ["<think>\n", "Sure. <thinking>", "<|channel|>analysis<|message|>", "◁think▷"])
def test_thinking_that_never_ends_leaves_its_mark_and_nothing_else_of_it(begun: str):
    answer = cut(begun + DRAFT)

    assert answer.endswith(UNFINISHED)
    assert "LR" not in answer


@pytest.mark.parametrize(
    "answer",
    [
        FINAL.replace("LR = 0.2", "</think>"),
        FINAL.replace("LR = 0.2", "<think>\nhow\n</think>"),
        FINAL.replace("LR = 0.2", "text.split('<|channel|>final<|message|>')"),
        "We split at `</think>` and drop the </think> tag.",
        "```python\nPROMPT = '''\n<think>\nhow\n</think>\n'''\n```\n",
        '{"change": "drop what stands before </think> there", "a": "<think>", "b": "\\n</think>\\n"}',
        "Nothing of the kind, but 1 < 2 and [thinking] helps.\n",
        "\nA blank line stays.",
    ],
)
def test_a_tag_that_an_answer_quotes_is_its_own_text(answer: str):
    assert cut(answer) == answer


@pytest.mark.parametrize(
    "text", ["<think>", "</think>", "```\n</think>\n```\n", "<<<<<<< SEARCH\n>>>>>>> REPLACE\n</think>"]
)
def test_cutting_takes_linear_time(text: str):
    assert "<<<" not in cut(text * 20_000)


def test_what_is_cut_once_is_not_cut_again():
    answer = cut(f"{DRAFT}</think>{FINAL.replace('LR = 0.2', '</think>')}")

    assert cut(answer) == answer != ""
