"""Explains in plain words, for a model, why pydantic refuses a value: the field and the rule that it breaks."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

_RULES = {
    "missing": "is missing; add it",
    "extra_forbidden": "is not asked for; leave it out",
    "literal_error": "give {expected}",
    "enum": "give {expected}",
    "string_type": "give a text in quotation marks",
    "string_too_short": "at least {min_length} letters",
    "string_too_long": "at most {max_length} letters",
    "string_pattern_mismatch": "has to match {pattern}",
    "int_type": "give a whole number",
    "int_from_float": "give a whole number",
    "float_type": "give a number",
    "finite_number": "give a finite number",
    "bool_type": "give true or false",
    "tuple_type": "give a list in [ ]",
    "list_type": "give a list in [ ]",
    "dict_type": "give an object in {{ }}",
    "model_type": "give an object in {{ }}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "value_error": "{error}",
    "json_invalid": "holds a number or a letter that JSON does not know",
}


def faults(error: ValidationError, most: int = 3) -> str:
    """The first `most` faults, e.g. 'runs.0.label: at most 40 letters'."""
    return "; ".join(_fault(dict(fault)) for fault in error.errors()[:most])


def _fault(fault: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "answer"
    rule = _RULES.get(fault["type"])
    return f"{where}: {rule.format(**fault.get('ctx', {})) if rule else fault['msg']}"
