"""Sentences that state no outcome, recognised by their form: an allow-list.

In abstract, results and conclusion a sentence without evidence has to have one of these forms; whatever else it says,
the word lists of lexicon.py are looked up on top.
"""

from __future__ import annotations

import re

_DOING = (
    r"ask|asked|study|studied|test|tested|compare|compared|evaluate|evaluated|introduce|introduced|propose|proposed|"
    r"describe|"
    r"described|present|presented|consider|considered|train|trained|measure|measured|report|reported|use|used|vary|"
    r"varied|"
    r"change|changed|turn|begin|began|start|started|follow|followed|fix|fixed|treat|leave|left|list|repeat|repeated|"
    r"put|set|"
    r"divide|divided|investigate|investigated|examine|examined|explore|explored|take|took|run|ran|build|built|define|"
    r"defined|write|call|return|look|plot|print|pose|posed|try|tried|discuss|give|state|add|added|replace|replaced|cut|"
    r"release|make no|made no|do not (?:claim|know|test|compare|measure)|did not (?:test|compare|measure)|cannot|can "
    r"only"
)
_DONE = (
    r"trained|measured|compared|fixed|tuned|chosen|computed|listed|shown|reported|described|defined|drawn|given|"
    r"evaluated|"
    r"kept|varied|corrected|counted|repeated|named|marked|exploratory|self-reported|held|set|plotted|printed|averaged|"
    r"summari[sz]ed|collected|taken|made|asked|tested|left open|left for|told apart from noise|discussed|used|studied|"
    r"the experiment's own|known to|mean values|means|the mean|standard errors?|one standard error"
)
_DESIGN = (
    r"adds|added|replaces|replaced|stops the gradient|cuts the gradient|starts from|started from|changes|changed|"
    r"varies|"
    r"varied|differs? from|tries|tried|tests|tested|uses|used|applies|applied|combines|combined|anneals|annealed|"
    r"freezes|"
    r"initiali[sz]es|divides|divided|weights|penali[sz]es|asks|asked|compares|compared|measures|trains|trained|follows|"
    r"followed|repeats|repeated|extends|extended|takes|took|goes back|returns"
)
_SUBJECT = (
    r"(?:(?:the|this|that|each|every|its|a|an|our|all|both|these|those|it|they|such) ?)*(?:[\w’'-]+ ){0,5}?"
    r"(?:[\w’'-]+|\ue000)?"
)

_FORMS = tuple(
    re.compile(p, re.IGNORECASE)
    for p in (
        r"\?[\"'”’)]*$",  # a question
        rf"^(?:[^,;:]{{0,60}}, )?(?:then |here |first |next |now )?(?:we|this (?:paper|work|study|section|report)|the "
        rf"(?:paper|study))"
        rf" (?:also |then |therefore |first |next |now |only |thus )?(?:{_DOING})\b",
        # a figure or table is pointed at
        r"^[^.]{0,30}\ue002 (?:also |then |again )?(?:shows?|lists?|gives?|plots?|puts?|reports?|compares?|holds?|"
        r"repeats?|adds?|"
        r"collects?|contains?|breaks?|draws?|places?|has|summari[sz]es)\b",
        r"^(?:see )?\(?\ue002[.)]*$",
        rf"\b(?:is|are|stand|stands|was|were) (?:also |all |only )?(?:{_DONE}|in|below|above)\b[^;:]*\ue002",
        # what was done, and how
        rf"^{_SUBJECT} ?(?:is|are|was|were|has been|have been) (?:also |all |only |not |then |never )?(?:{_DONE})\b",
        rf"^(?:in |for |as )?{_SUBJECT}[ ,]*(?:{_DESIGN})\b",
        # what is left open
        r"\b(?:whether|may|might|could|would|should)\b",
        r"^(?:a |the |one )?(?:next|natural|remaining|open|further|future|obvious|last) (?:natural )?(?:steps?|work|"
        r"questions?|tests?|study)\b",
        r"\b(?:no claim|nothing (?:is|can be) said|cannot (?:be )?(?:say|said|tell|told|conclude|concluded|know|known)|"
        r"left open|"
        r"(?:was|were) (?:not|never) (?:tested|measured|compared|tried)|(?:does|do|did) not "
        r"(?:test|measure|prove|claim|settle))\b",
        r"\b(?:higher|lower|larger|smaller|closer) (?:values? )?(?:is|are) better\b",
    )
)


def is_neutral(text: str) -> bool:
    """Has the sentence one of the forms that state no outcome?"""
    return any(form.search(text) for form in _FORMS)


def is_heading(text: str) -> bool:
    """A run-in heading: a few words without a sentence's end but a full stop."""
    return len(text.split()) <= 6 and text.endswith((".", ":", "?"))
