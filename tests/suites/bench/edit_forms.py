"""Forms of answers that edit a file, crossed with files: what models were seen to send, and what must come of it."""

from __future__ import annotations

import difflib
import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass

APPLIED, ASKED, REFUSED = "applied at once", "applied after a question", "refused, file untouched"


@dataclass(frozen=True)
class File:
    """A file, the change that is wanted of it as whole lines, and the file after it."""

    name: str
    text: str  # with \n
    search: str
    new: str
    written: Callable[[str], bytes] = str.encode

    @property
    def before(self) -> bytes:
        return self.written(self.text)

    @property
    def after(self) -> bytes:
        return self.written(self.text.replace(self.search, self.new))


@dataclass(frozen=True)
class Case:
    kind: str
    form: str
    file: File
    replies: tuple[str, ...]
    expected: str = APPLIED
    words: str = ""  # of the question or refusal


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def bom(text: str) -> bytes:
    return b"\xef\xbb\xbf" + text.encode()


CODE = """import torch

d_sae = 512
NAME = "it's plain"


def loss(x, x_hat):
    error = x - x_hat
    return (error**2).mean()


def main():
    if d_sae > 8:
        print(NAME)
"""
DOCSTRING = '''def loss(x):
    """The loss.

    Parameters
    =======
    x : rows
    """
    return x
'''
SECTION = """# Results

The best run improves the baseline. Its F1 is higher than that of “TopK” in every condition. We don’t vary the data.

The second paragraph speaks of limits. It is short.
"""
SETEXT = "Results\n=======\n\nThe best run is better.\n\nLimits\n------\n\nOne world alone.\n"
FENCED = "# Method\n\n```\nz = relu(W x)\n```\n\nOld words.\n"
OLD, NEW = "    error = x - x_hat\n    return (error**2).mean()\n", "    return ((x - x_hat) ** 2).sum()\n"

PYTHON = File("experiment.py", CODE, OLD, NEW)
FIRST = File("experiment.py", CODE, "import torch\n", "import math\nimport torch\n")
CRLF = File("experiment.py", CODE, OLD, NEW, crlf)
BOM = File("experiment.py", CODE, "import torch\n", "import math\nimport torch\n", bom)
CRLF_BOM = File("experiment.py", CODE, OLD, NEW, lambda text: b"\xef\xbb\xbf" + crlf(text))
TABS = File("experiment.py", CODE.replace("    ", "\t"), OLD.replace("    ", "\t"), NEW.replace("    ", "\t"))
ENDLESS = File("experiment.py", CODE, OLD, NEW, lambda text: text.removesuffix("\n").encode())
LINE = File("paper/sections/results.md", SECTION, SECTION.split("\n")[2] + "\n", "It is better.\n")
HEADED = File("paper/sections/results.md", SETEXT, "The best run is better.\n", "No run is better.\n")
METHOD = File("paper/sections/method.md", FENCED, "Old words.\n", "New words.\n")
FILES = (PYTHON, FIRST, CRLF, BOM, CRLF_BOM, TABS, ENDLESS, LINE, HEADED, METHOD)


def body(search: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{search}=======\n{new}>>>>>>> REPLACE\n"


def block(file: File, above: str | None = None, search: str | None = None, new: str | None = None) -> str:
    fence = "````" if "```" in file.text else "```"
    changed = body(file.search if search is None else search, file.new if new is None else new)
    return f"I change it.\n\n{file.name if above is None else above}\n{fence}python\n{changed}{fence}\n"


def indented(text: str, by: str) -> str:
    return "".join(f"{by}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


# ---------------------------------------------------------------- how the file is named, and what stands around a block

NAMED = {
    "plain": "{}",
    "with ./": "./{}",
    "bold": "**{}**",
    "in backticks": "`{}`",
    "bold backticks": "**`{}`**",
    "heading": "### {}",
    "heading with backticks": "#### `{}`",
    "colon": "{}:",
    "label": "File: {}",
    "label in bold": "**File:** `{}`",
    "numbered": "1. `{}`",
    "bullet": "- {}",
    "file tag": "<file>{}</file>",
    "path tag": '<file path="{}">',
    "absolute": "/home/somebody/repo/{}",
    "sentence": "In `{}`, I change the lines:",
    "comment": "# {}",
    "words": "Here is the change:",
    "nothing": "",
    "a blank line below": "{}\n",
}
AROUND: dict[str, Callable[[File], str]] = {
    "no fence": lambda f: f"{f.name}\n{body(f.search, f.new)}",
    "no fence, no name": lambda f: body(f.search, f.new),
    "longer fence": lambda f: f"{f.name}\n`````\n{body(f.search, f.new)}`````\n",
    "name in the fence": lambda f: f"`````python {f.name}\n{body(f.search, f.new)}`````\n",
    "name behind a colon in the fence": lambda f: f"`````python:{f.name}\n{body(f.search, f.new)}`````\n",
    "in a list": lambda f: f"1. So:\n\n{indented(block(f), '   ')}",
    "marks with blanks": lambda f: block(f).replace("=======\n", "=======  \n").replace("SEARCH\n", "SEARCH \n"),
    "five signs": lambda f: (
        block(f).replace("<<<<<<<", "<<<<<").replace("\n=======\n", "\n=====\n", 1)
        if f not in (HEADED,)
        else block(f).replace("<<<<<<<", "<<<<<")
    ),
    "nine signs": lambda f: block(f).replace("<<<<<<<", "<<<<<<<<<").replace(">>>>>>>", ">>>>>>>>>"),
    "CRLF in the answer": lambda f: block(f).replace("\n", "\r\n"),
    "words behind it": lambda f: block(f) + "\nThis is all: `x = 1` stays.\n",
    "a shell fence before it": lambda f: "```bash\npython experiment.py\n```\n" + block(f),
}


def names_and_wraps() -> Iterator[Case]:
    for form, above in NAMED.items():
        for file in (PYTHON, CRLF, LINE, METHOD):
            yield Case("names of files", form, file, (block(file, above.format(file.name)),))
    for form, make in AROUND.items():
        for file in FILES if form in ("no fence", "in a list", "CRLF in the answer") else (PYTHON, BOM, HEADED, METHOD):
            yield Case("what stands around a block", form, file, (make(file),))


# ---------------------------------------------------------------- quoted otherwise than it stands there


def quoted_otherwise() -> Iterator[Case]:
    kind = "SEARCH quoted otherwise"
    for file in FILES:
        yield Case(kind, "blanks at line ends", file, (block(file, search=file.search.replace("\n", "  \n")),))
        yield Case(kind, "blank lines around", file, (block(file, search=f"\n{file.search}\n", new=f"\n{file.new}\n"),))
        fenced = ("```\n" + file.search + "```\n", "```\n" + file.new + "```\n")
        yield Case(kind, "a fence inside", file, (f"{file.name}\n{body(*fenced)}",))
    for file in (PYTHON, CRLF, CRLF_BOM, ENDLESS):
        out = file.search.replace("\n    ", "\n")[4:], file.new[4:]
        yield Case(kind, "without indentation", file, (block(file, search=out[0], new=out[1]),))
        deep = indented(file.search, "    "), indented(file.new, "    ")
        yield Case(kind, "indented too far", file, (block(file, search=deep[0], new=deep[1]),))
        tabs = file.search.replace("    ", "\t"), file.new.replace("    ", "\t")
        yield Case(kind, "tabs for spaces", file, (block(file, search=tabs[0], new=tabs[1]),))
    for blanks in ("    ", "  ", "        "):
        spaces = TABS.search.replace("\t", blanks), TABS.new.replace("\t", blanks)
        yield Case(kind, "spaces for tabs", TABS, (block(TABS, search=spaces[0], new=spaces[1]),))
    plain = File("experiment.py", CODE, 'NAME = "it\'s plain"\n', 'NAME = "it\'s new"\n')
    for curly in ("NAME = “it’s plain”\n", "NAME = “it's plain”\n", 'NAME = "it’s plain"\n'):
        yield Case(kind, "curly quotes", plain, (block(plain, search=curly, new=curly.replace("plain", "new")),))
    line = File(LINE.name, SECTION, LINE.search, LINE.search.replace("higher", "lower"))
    straight = line.search.translate(str.maketrans("“”’", '""\''))
    yield Case(kind, "straight quotes", line, (block(line, search=straight, new=straight.replace("higher", "lower")),))


def sentences() -> Iterator[Case]:
    kind = "a sentence of a paragraph"
    for written in (str.encode, crlf, bom, lambda text: text.removesuffix("\n").encode()):
        for old, new in (
            ("It is short.", "It is long."),
            ("The best run improves the baseline.", "No run improves the baseline."),
            ("higher than that of", "the same as that of"),
            (" It is short.", ""),
            ("Its F1 is higher than that of “TopK” in every condition.", "Its F1 is 1."),
        ):
            file = File(LINE.name, SECTION, old, new, written)
            yield Case(kind, "verbatim", file, (block(file, search=old.strip() + "\n", new=new and f"{new}\n"),))
    wrapped = File(LINE.name, SECTION, "Its F1 is higher than that of “TopK” in every condition.", "It is 1.")
    broken = 'Its F1 is higher\nthan that of "TopK" in every\ncondition.\n'
    yield Case(kind, "broken into lines", wrapped, (block(wrapped, search=broken, new="It is 1.\n"),))
    yield Case(
        kind,
        "misquoted",
        wrapped,
        (
            block(wrapped, search="Its F1 is much higher than TopK in each condition.\n", new="It is 1.\n"),
            block(wrapped, search=broken, new="It is 1.\n"),
        ),
        ASKED,
        "Did you mean this sentence",
    )


# ---------------------------------------------------------------- lines of =


def dividers() -> Iterator[Case]:
    kind = "lines of = in the text"
    for signs in range(5, 10):
        line = "=" * signs
        heading = File(
            HEADED.name, SETEXT, HEADED.search, f"Main results\n{line}\n\nThe best run improves the baseline.\n"
        )
        yield Case(kind, f"a heading of {signs} in REPLACE", heading, (block(heading),))
        text = DOCSTRING.replace("    =======", f"    {line}")
        body_ = File(
            "experiment.py", text, "    return x\n", f'    """\n    Rows\n    {line}\n    all\n    """\n    return x\n'
        )
        yield Case(kind, f"a docstring of {signs} in REPLACE", body_, (block(body_),))
        quoted = File("experiment.py", text, f"    {line}\n    x : rows\n", f"    {line}\n    x : all rows\n")
        yield Case(kind, f"a docstring of {signs} in both", quoted, (block(quoted),))
        setext = SETEXT.replace("=======", line)
        head = f"Results\n{line}\n\nThe best run is better.\n"
        both = File(HEADED.name, setext, head, f"Findings\n{line}\n\nNo run is better.\n")
        yield Case(kind, f"a heading of {signs} in both", both, (block(both),))
        title = File(HEADED.name, setext, f"Results\n{line}\n", f"Findings\n{line}\n")
        yield Case(kind, f"only a heading of {signs} in both", title, (block(title),))
        typo = block(both, search=both.search.replace("better", "bettr"))
        yield Case(kind, f"a heading of {signs} in SEARCH, misquoted", both, (typo, block(both)), ASKED, "line of `=`")
        gone = File(HEADED.name, setext, head, "No run is better.\n")
        yield Case(kind, f"a heading of {signs} in SEARCH", gone, (block(gone),))
    for form, new in {
        "a second divider behind REPLACE": HEADED.new + "=======\n",
        "two dividers": "=======\n" + HEADED.new,
    }.items():
        yield Case(kind, form, HEADED, (block(HEADED, new=new), block(HEADED)), ASKED, "line of `=`")


# ---------------------------------------------------------------- thinking, and answers that were cut

THOUGHTS = {
    "think": "<think>{}</think>\n",
    "thinking": "<thinking>\n{}\n</thinking>\n\n",
    "thought": "<thought>{}</thought>",
    "reasoning": "<reasoning>{}</reasoning>\n",
    "capitals": "<THINK>{}</THINK>\n",
    "only the end": "{}\n</think>\n\n",
    "only the end, in a line": "{} I am done.</think>\n",
    "kimi": "◁think▷{}◁/think▷",
    "magistral": "[THINK]{}[/THINK]",
    "channels": "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
    "three channels": "<|channel|>analysis<|message|>{0}<|end|><|start|>assistant<|channel|>commentary<|message|>{0}"
    "<|end|><|start|>assistant<|channel|>final<|message|>",
    "bare channels": "analysisWe try {} so.assistantfinal",
    "behind first words": "Let me see. <think>{}</think>\n",
    "an unclosed draft": "<think>{} or\nexperiment.py\n```\n<<<<<<< SEARCH\nd_sae\n</think>\n",
    "an unclosed draft, only the end": "{} or\nexperiment.py\n```\n<<<<<<< SEARCH\nd_sae\n</think>\n",
}


def thinking() -> Iterator[Case]:
    kind = "thinking with a draft in it"
    for form, around in THOUGHTS.items():
        for file in (PYTHON, LINE):
            draft = block(file, search=file.text.split("\n")[2] + "\n", new="DRAFT = 99.0\n")
            yield Case(kind, form, file, (around.format(draft) + block(file),))
    tagged = File(
        "experiment.py", CODE, OLD, '    text = re.sub("<think>.*</think>", "", text)\n    """\n</think>\n"""\n'
    )
    yield Case(kind, "a tag in the file's new text", tagged, (block(tagged),))
    kind = "answers that were cut"
    good = block(PYTHON)
    for form, cut_ in {
        "in REPLACE": good[: good.index(">>>>>>>")],
        "in SEARCH": good[: good.index("=======")],
        "in the last mark": good.replace("REPLACE\n```", "REPL"),
        "before the fence ends": good.removesuffix("```\n"),
        "in a second block": good + "experiment.py\n```\n<<<<<<< SEARCH\nd_sae = 512\n=======\nd_sae =",
        "in a fence behind it": good + "```python\nx = 1",
        "in its thinking": "<think>\n" + good,
        "in its thinking, behind a block": good + "<think>\nOr rather",
        "in the analysis channel": "<|channel|>analysis<|message|>" + good,
    }.items():
        yield Case(
            kind, form, PYTHON, (cut_, good), ASKED, "was cut" if "thinking" in form or "chan" in form else "cut"
        )
        yield Case(kind, f"{form}, always", PYTHON, (cut_,) * 4, REFUSED, "cut")


# ---------------------------------------------------------------- conversations and other forms


def conversations() -> Iterator[Case]:
    kind = "blocks sent again"
    bad = body("d_sae = 511\n", "d_sae = 1024\n")
    both = File("experiment.py", CODE, CODE, CODE.replace(OLD, NEW).replace("512", "1024"))
    insert = File("experiment.py", CODE, CODE, CODE.replace("import torch\n", FIRST.new).replace("512", "1024"))
    delete = File(
        "experiment.py", CODE, CODE, CODE.replace("        print(NAME)\n", "        pass\n").replace("512", "1024")
    )
    fixed = body("d_sae = 512\n", "d_sae = 1024\n")
    for form, file, ours in (
        ("a change", both, body(OLD, NEW)),
        ("an insertion", insert, body(FIRST.search, FIRST.new)),
        ("in an inner block", delete, body("        print(NAME)\n", "        pass\n")),
        ("twice in one answer", both, body(OLD, NEW) * 2),
    ):
        replies = (f"experiment.py\n{ours}{bad}", f"experiment.py\n{ours}{fixed}")
        yield Case(kind, form, file, replies, ASKED, "does not match the file")
    ours = f"experiment.py\n{body(OLD, NEW)}"
    yield Case(
        kind, "without what failed", both, (ours + bad, ours, f"experiment.py\n{fixed}"), ASKED, "does not match"
    )
    yield Case(kind, "always without what failed", both, (ours + bad, ours, ours, ours), REFUSED, "does not match")
    wider = body("import torch\n\nd_sae = 512\n", "import math\nimport torch\n\nd_sae = 1024\n")
    yield Case(
        kind,
        "with other lines around",
        insert,
        (f"x\n{body(FIRST.search, FIRST.new)}{bad}", f"x\n{wider}", fixed),
        ASKED,
        "does not",
    )
    kind = "other forms"
    for file in FILES:
        yield Case(kind, "unified diff", file, (f"```diff\n{diff(file)}```\n",))
        yield Case(kind, "unified diff, not fenced", file, (diff(file),))
        wrong = diff(file).replace("\n ", "\n not so ")
        yield Case(kind, "unified diff that does not match", file, (wrong, block(file)), ASKED, "SEARCH/REPLACE block")
        patch = f"*** Begin Patch\n*** Update File: {file.name}\n@@\n-{file.search}+{file.new}*** End Patch\n"
        yield Case(kind, "V4A patch", file, (patch, block(file)), ASKED, "SEARCH/REPLACE block")
        yield Case(kind, "escaped for HTML", file, (html.escape(block(file)), block(file)), ASKED, "plain characters")
        miss = block(file, search="nowhere at all\n")
        fence = "`````"
        whole = f"{file.name}\n{fence}\n{file.text.replace(file.search, file.new)}{fence}\n"
        if file is not ENDLESS:
            yield Case(kind, "whole file after two mismatches", file, (miss, miss, whole), ASKED, "does not match")
            all_ = block(file, search="", new=file.text.replace(file.search, file.new))
            yield Case(kind, "whole file in a block after two", file, (miss, miss, all_), ASKED, "does not match")
        yield Case(kind, "whole file at once", file, (whole,), REFUSED, "no SEARCH/REPLACE block")
        part = f"{file.name}\n{fence}\n# ... the rest is unchanged\n{file.new}{fence}\n"
        yield Case(
            kind, "part of a file after two mismatches", file, (miss, miss, part, part), REFUSED, "write every line"
        )


def diff(file: File) -> str:
    lines = [text.splitlines(keepends=True) for text in (file.text, file.text.replace(file.search, file.new))]
    return "".join(difflib.unified_diff(*lines, f"a/{file.name}", f"b/{file.name}", n=2))


# ---------------------------------------------------------------- what nobody can apply for sure


def unsure() -> Iterator[Case]:
    kind = "what cannot be applied for sure"
    twice = File("experiment.py", "k = 1\nx = 2\nk = 1\ny = 3\n", "k = 1\ny = 3\n", "k = 8\ny = 3\n")
    nested = "def f():\n    return x\n\n\ndef g():\n        return x\n"
    deep = File("experiment.py", nested, "        return x\n", "        return y\n")
    same = File("paper/sections/results.md", "One is so. One is so.\n", "One is so. One is so.\n", "Two.\n")
    for form, file, reply, words in (
        ("two places", twice, block(twice, search="k = 1\n", new="k = 8\n"), "matches 2 places"),
        (
            "two places but for indentation",
            deep,
            block(deep, search="return x\n", new="return y\n"),
            "matches 2 places",
        ),
        ("a sentence that stands twice", same, block(same, search="One is so.\n", new="Two.\n"), "several places"),
        ("lines left out", PYTHON, block(PYTHON, search="import torch\n...\nd_sae = 512\n"), "quote every line"),
        ("misquoted", PYTHON, block(PYTHON, search="    error = x-xhat\n    return error\n"), "Did you mean"),
        ("a misquoted sentence", LINE, block(LINE, search="The second paragraph talks of limits.\n"), "this sentence"),
        ("part of a line of code", PYTHON, block(PYTHON, search="d_sae > 8\n"), "does not match"),
        ("an empty SEARCH", PYTHON, block(PYTHON, search=""), "has an empty SEARCH"),
        ("all of it deleted", PYTHON, block(PYTHON, search=CODE, new=""), "leave the file empty"),
        (
            "a second last mark",
            PYTHON,
            block(PYTHON).replace("REPLACE\n", "REPLACE\n>>>>>>> REPLACE\n"),
            "outside a block",
        ),
        ("no divider", PYTHON, block(PYTHON).replace("=======\n", ""), "no line `=======`"),
        ("a block in a block", PYTHON, block(PYTHON, new=f"<<<<<<< SEARCH\n{NEW}"), "no line `>>>>>>> REPLACE`"),
        ("another mark", PYTHON, block(PYTHON).replace("< SEARCH", "< HEAD"), "outside a block"),
    ):
        yield Case(kind, form, file, (reply, block(file)), ASKED, words)
    for form, reply, words in (
        ("a file that may only be read", block(PYTHON, "evaluate.py"), "only experiment.py may be changed"),
        ("a file that there is not", block(PYTHON, "helpers.py"), "only experiment.py may be changed"),
        ("a file of another folder", block(PYTHON, "lib/experiment.py"), "only experiment.py may be changed"),
        ("a promise", "I will set d_sae to 1024.", "no SEARCH/REPLACE block"),
        ("a snippet", f"```python\n{NEW}```\n", "no SEARCH/REPLACE block"),
    ):
        yield Case(kind, form, PYTHON, (reply,), REFUSED, words)


def cases() -> list[Case]:
    """Every form on every file that it is meant for."""
    kinds = (names_and_wraps, quoted_otherwise, sentences, dividers, thinking, conversations, unsure)
    return [case for kind in kinds for case in kind()]
