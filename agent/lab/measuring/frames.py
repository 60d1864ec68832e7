"""The format in which arrays go through a pipe, in both directions.

A frame is a tag of four letters, the number of a method and the number of arrays; then the type and shape of each;
then their bytes. Nothing in it is unpickled, and a reader can check the shapes before it reads a byte of the arrays.
The sandbox loads this file by itself, in any Python with numpy.
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
    """The bytes that came are no frame."""


def pack(tag: bytes, number: int, arrays: Sequence[Any]) -> bytes:
    """A frame with these arrays, whose types must be among TYPES."""
    import numpy as np

    # reshape, because ascontiguousarray gives a scalar a dimension
    whole = [np.ascontiguousarray(array).reshape(np.shape(array)) for array in arrays]
    about = [ARRAY.pack(TYPES.index(a.dtype.name), a.ndim) + struct.pack(f"<{a.ndim}Q", *a.shape) for a in whole]
    return b"".join([HEAD.pack(tag, number, len(whole)), *about, *(a.tobytes() for a in whole)])


def header(head: bytes, receive: Receive) -> tuple[bytes, int, Shapes]:
    """The tag, the method's number, and the types and shapes of a frame that begins with `head`.

    The arrays themselves are not read yet.

    Raises:
        Malformed: an array has a type or a number of dimensions that does not exist here.
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
    """Bytes of the arrays. A dimension of 0 counts as 1, so that an empty array cannot claim a huge shape for free."""
    import numpy as np

    return sum(np.dtype(kind).itemsize * math.prod(max(n, 1) for n in shape) for kind, shape in shapes)


def arrays(shapes: Shapes, receive: Receive) -> "list[np.ndarray]":
    """Read the arrays themselves, as writable copies; any byte but zero is a true bool."""
    import numpy as np

    found = []
    for kind, shape in shapes:
        length = np.dtype(kind).itemsize * math.prod(shape)
        raw = np.frombuffer(receive(length), dtype="u1" if kind == "bool" else kind).reshape(shape)
        found.append(raw != 0 if kind == "bool" else raw.copy())
    return found
