"""The base classes of everything that is stored: strict, frozen, no unknown keys, no NaN."""

from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """Refuses unknown keys, values of another type, and numbers that are not finite. Instances are immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class Happened(Strict):
    """The base of every event."""

    at: float  # seconds since the epoch
    # Seconds of work on the session up to here (see Journal); None in logs of older versions
    active: float | None = None


class Open(BaseModel):
    """Immutable, but keeps keys that it does not know, because idea files may have keys of their own."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False, defer_build=True)


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong with a value, as "runs.0.label: message"; the whole value has no field."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else first["msg"]
