"""The [model] of a manifest: the methods of the model's class, with the arrays that each takes and returns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import model_validator

from agent.core.schema import Strict

# Types that numpy lacks are sent as float32, which can hold each of their values; torch code sees its own types.
CARRIED = {"bfloat16": "float32", "float8_e4m3fn": "float32", "float8_e5m2": "float32"}
_WIDTHS = (8, 16, 32, 64)
PLAIN = ("bool", *(f"{sign}int{bits}" for sign in ("u", "") for bits in _WIDTHS), "float16", "float32", "float64")
# Names that the proxy of a model, which evaluate.py gets, uses for itself.
RESERVED = ("load", "ask", "hold", "methods", "seconds", "tensors", "dtypes", "file_bytes")
SEED = "seed"
_ARRAY = re.compile(r"([a-z0-9_]+) \[((?:\w+(?:, \w+)*)?)\]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_MODULE = re.compile(r"(?:[A-Za-z_]\w*/)*[A-Za-z_]\w*\.py")


@dataclass(frozen=True)
class Form:
    """One array that a method takes or returns. A dimension is a size or a name; equal names mean equal sizes."""

    name: str
    dtype: str
    dims: tuple[int | str, ...]

    @classmethod
    def of(cls, name: str, text: str) -> Form:
        """Parse a type and a shape, e.g. "float32 [n, 4]".

        Raises:
            ValueError: the text has another form.
        """
        found = _ARRAY.fullmatch(text)
        if not found or not _NAME.fullmatch(name) or found[1] not in (*PLAIN, *CARRIED):
            raise ValueError(
                f'model.methods: {name} = {text!r}: write a type and a shape, e.g. "float32 [n, 4]"; types are '
                f"{', '.join((*PLAIN, *CARRIED))}"
            )
        dims = [dim for dim in found[2].split(", ") if dim]
        return cls(name, found[1], tuple(int(dim) if dim.isdigit() else dim for dim in dims))

    def bound(self, settings: Mapping[str, object]) -> Form:
        """The same with sizes instead of the names of settings."""
        dims = (settings.get(d, d) if isinstance(d, str) else d for d in self.dims)
        return Form(self.name, self.dtype, tuple(d if isinstance(d, int) else str(d) for d in dims))

    @property
    def carried(self) -> str:
        """The type as which the array is sent."""
        return CARRIED.get(self.dtype, self.dtype)

    @property
    def rows(self) -> str:
        """The name of its first dimension; "" if that is a fixed size, or if there is none."""
        first = self.dims[0] if self.dims else 0
        return first if isinstance(first, str) else ""

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} [{', '.join(map(str, self.dims))}]"


@dataclass(frozen=True)
class Method:
    """A method as the runner calls it."""

    name: str
    call: str  # with the class's name, for texts, e.g. "SAE.encode"
    takes: tuple[Form, ...]
    gives: tuple[Form, ...]
    rowwise: bool  # a row of the result depends on that row of the arguments alone
    repeats: bool = True  # the same call gives the same answer
    most: int | None = None  # non-zeros that a row of latents may have; latents are sent as sparse rows


class MethodSpec(Strict):
    """One method of the manifest. Its answer may depend on its arguments alone; a random method takes a `seed`."""

    takes: dict[str, str]  # in the order in which they are passed
    gives: dict[str, str]
    # A result's row depends on that row of the arguments alone; None: if the shapes allow it
    rowwise: bool | None = None
    repeats: bool = True  # false (needs an argument `seed`): the same call may give another answer

    @model_validator(mode="after")
    def _can_be_held(self) -> MethodSpec:
        takes, gives = ([Form.of(*item) for item in forms.items()] for forms in (self.takes, self.gives))
        if not takes or not gives:
            raise ValueError("model.methods: a method takes at least one array and gives at least one")
        if not self.repeats and SEED not in self.takes:
            raise ValueError("model.methods: `repeats = false` goes with an argument `seed`")
        if self.rowwise and not _by_rows(takes, gives):
            raise ValueError(
                "model.methods: `rowwise = true`: every argument and every result begins with one and the same named "
                'dimension, e.g. "float32 [n, 4]" and "int64 [n]"'
            )
        return self

    def bound(self, name: str, kind: str, settings: Mapping[str, object]) -> Method:
        """The method called `name` of the class `kind`, with sizes from the settings."""
        takes, gives = (
            tuple(Form.of(*item).bound(settings) for item in forms.items()) for forms in (self.takes, self.gives)
        )
        rowwise = _by_rows(takes, gives) and self.rowwise is not False
        return Method(name, f"{kind}.{name}", takes, gives, rowwise, self.repeats)


class ModelSpec(Strict):
    """The class that the runner loads from the artefact, and the methods that are measured.

    There are two forms. With `methods`, evaluate(model, truth, settings) calls them as it likes. Without, the runner
    calls the one `method` on float32 rows, and its `outputs` go to evaluate(x, outputs, truth).
    """

    name: str = "SAE"  # has load(path)
    file: str = "experiment.py"  # the file that defines it; with a command, relative to the command's folder
    method: str = "encode"  # float32 rows [B, d_in] -> float32 [B, width]; each row depends on that row alone
    outputs: int | str | None = None  # the width, or the setting that holds it; None: the outputs are latents for W_dec
    methods: dict[str, MethodSpec] = {}

    @model_validator(mode="after")
    def _one_form(self) -> ModelSpec:
        if not _MODULE.fullmatch(self.file):
            raise ValueError(f"model.file = {self.file!r}: give a Python file that can be imported, e.g. nets/model.py")
        if self.methods and {"method", "outputs"} & self.model_fields_set:
            raise ValueError("model: give either `method` and `outputs`, or `methods`")
        for name in self.methods:
            if not _NAME.fullmatch(name) or name in RESERVED:
                raise ValueError(f"model.methods: {name!r} cannot be used as a name")
        return self

    @property
    def dictionary(self) -> bool:
        """Whether the model is an autoencoder: it returns latents, which the artefact's W_dec decodes."""
        return self.outputs is None and not self.methods

    def called(self, settings: Mapping[str, object]) -> dict[str, Method]:
        """The methods that an evaluation may call, with sizes from the settings."""
        if self.methods:
            return {name: spec.bound(name, self.name, settings) for name, spec in self.methods.items()}
        width = settings[self.outputs] if isinstance(self.outputs, str) else self.outputs
        return {self.method: self.rows("outputs", int(str(width)))}

    def rows(self, name: str, width: int, most: int | None = None) -> Method:
        """The only method of the short form, which returns `width` numbers a row, at most `most` of them non-zero."""
        takes, gives = Form("x", "float32", ("rows", "columns")), Form(name, "float32", ("rows", width))
        return Method(self.method, self.call, (takes,), (gives,), rowwise=True, most=most)

    @property
    def place(self) -> str:
        """Where the class is found: its module and its name, e.g. "nets.model.Classifier"."""
        return f"{self.file.removesuffix('.py').replace('/', '.')}.{self.name}"

    @property
    def call(self) -> str:
        return f"{self.name}.{self.method}"

    @property
    def promises(self) -> tuple[str, ...]:
        """What experiment.py must not break, a clause for each method, for the instruction to the editor."""
        if not self.methods:
            return (f"`{self.method}(x)`, where what a row gives depends on that row alone",)
        return tuple(_promise(m) for m in (spec.bound(n, self.name, {}) for n, spec in self.methods.items()))

    @property
    def stateful(self) -> tuple[str, ...]:
        """The methods that are not rowwise, so that a row of an answer may depend on all rows of the call."""
        bound = (spec.bound(name, self.name, {}) for name, spec in self.methods.items())
        return tuple(method.call for method in bound if not method.rowwise)


def _by_rows(takes: tuple[Form, ...] | list[Form], gives: tuple[Form, ...] | list[Form]) -> bool:
    firsts = {form.rows for form in (*takes, *gives)}
    return len(firsts) == 1 and "" not in firsts


def _promise(method: Method) -> str:
    """What one method must keep, as a clause for the instruction to the editor."""
    takes, gives = (", ".join(map(str, forms)) for forms in (method.takes, method.gives))
    how = "what a row gives depends on that row alone" if method.rowwise else "it answers by its arguments alone"
    seed = ", all chance drawn from `seed`" if any(form.name == SEED for form in method.takes) else ""
    return f"`{method.name}({takes})`, which gives {gives}; {how}{seed}"
