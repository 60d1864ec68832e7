"""Arrays over a pipe, in both directions: a frame says what comes, then come the numbers themselves.

A frame is four letters, the number of a method and how many arrays; the type and shape of each; then their bytes.
Nothing in it is unpickled, and whoever reads may look at the shapes before a byte of the arrays is read. Loaded by
itself inside the sandbox too, by any Python with numpy.
"""

import math
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

HEAD = struct.Struct("<4sBB")
ARRAY = struct.Struct("<BB")
CALL, GAVE, DONE = b"CALL", b"GAVE", b"DONE"
TYPES = [
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64"),
]
MOST_DIMS = 8
Receive = Callable[[int], bytes]
Shapes = list[tuple[str, tuple[int, ...]]]  # the type and the shape of each array


class Malformed(Exception):
    """What came is no frame."""


def pack(tag: bytes, number: int, arrays: Sequence[Any]) -> bytes:
    """A frame; the arrays are of TYPES."""
    import numpy as np

    whole = [np.ascontiguousarray(array).reshape(np.shape(array)) for array in arrays]  # of no dimension, too
    about = [ARRAY.pack(TYPES.index(a.dtype.name), a.ndim) + struct.pack(f"<{a.ndim}Q", *a.shape) for a in whole]
    return b"".join([HEAD.pack(tag, number, len(whole)), *about, *(a.tobytes() for a in whole)])


def header(head: bytes, receive: Receive) -> tuple[bytes, int, Shapes]:
    """What a frame is and holds, from its first HEAD.size bytes on; its arrays are not read yet.

    Raises:
        Malformed: an array has a type or a number of dimensions that there is not.
    """
    tag, number, count = HEAD.unpack(head)
    shapes: Shapes = []
    for _ in range(count):
        kind, dims = ARRAY.unpack(receive(ARRAY.size))
        if kind >= len(TYPES) or dims > MOST_DIMS:
            raise Malformed(f"an array of type {kind} with {dims} dimensions")
        shapes.append((TYPES[kind], struct.unpack(f"<{dims}Q", receive(8 * dims))))
    return tag, number, shapes


def size(shapes: Shapes) -> int:
    """Bytes of the arrays; an empty one counts as if its empty dimensions had one place, for what they may claim."""
    import numpy as np

    return sum(np.dtype(kind).itemsize * math.prod(max(n, 1) for n in shape) for kind, shape in shapes)


def arrays(shapes: Shapes, receive: Receive) -> "list[np.ndarray]":
    """The arrays themselves, writable; a bool is whatever is not zero."""
    import numpy as np

    found = []
    for kind, shape in shapes:
        length = np.dtype(kind).itemsize * math.prod(shape)
        raw = np.frombuffer(receive(length), dtype="u1" if kind == "bool" else kind).reshape(shape)
        found.append(raw != 0 if kind == "bool" else raw.copy())
    return found
