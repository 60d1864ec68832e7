"""The base of every stored thing: strict, frozen, no unknown keys, no NaN."""

from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """Refuses unknown keys, type coercion and non-finite numbers; cannot be changed once made."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class Happened(Strict):
    """The base of every event."""

    at: float  # seconds since the epoch
    active: float | None = None  # seconds of work on the session up to here (Journal); None in older versions' lines


class Open(BaseModel):
    """Frozen, but keeps keys it does not know (ideas carry fields of their own)."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False, defer_build=True)


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong with a value, as "runs.0.label: message"; the whole value has no field."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else first["msg"]
