"""Reads the scalars of TensorBoard's event files, which are protobuf messages, each with its length before it.

The files may be hostile: lengths are checked against the file's, and protobuf parses the messages. Reading ends at a
record that was cut off, as when the process that wrote it was killed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from agent.sandbox.harvest import Unharvestable

MAX_RECORD = 1 << 20  # bytes; larger records hold pictures and graphs, and are skipped
MAX_RECORDS = 500_000
MAX_TAGS = 256
_FIELD = descriptor_pb2.FieldDescriptorProto
# The parts of tensorflow's event.proto, summary.proto and tensor.proto that a scalar needs: number, name, type.
_MESSAGES: dict[str, list[tuple[int, str, int | str, bool]]] = {
    "Tensor": [
        (1, "dtype", _FIELD.TYPE_INT32, False),
        (4, "tensor_content", _FIELD.TYPE_BYTES, False),
        (5, "float_val", _FIELD.TYPE_FLOAT, True),
        (6, "double_val", _FIELD.TYPE_DOUBLE, True),
    ],
    "Value": [
        (1, "tag", _FIELD.TYPE_STRING, False),
        (2, "simple_value", _FIELD.TYPE_FLOAT, False),
        (8, "tensor", "Tensor", False),
    ],
    "Summary": [(1, "value", "Value", True)],
    "Event": [(2, "step", _FIELD.TYPE_INT64, False), (5, "summary", "Summary", False)],
}
_FLOATS = {1: ("float_val", "<f"), 2: ("double_val", "<d")}  # by dtype: DT_FLOAT, DT_DOUBLE


def scalars(files: Iterable[bytes]) -> dict[str, list[float | None]]:
    """The numbers of each tag in the order of their steps; the last one written counts if a step has several.

    Raises:
        Unharvestable: a file holds no event records.
    """
    found: dict[str, dict[int, float]] = {}
    for data in files:
        for event in _events(data):
            for value in event.summary.value:
                number = _scalar(value)
                if number is not None and (value.tag in found or len(found) < MAX_TAGS):
                    found.setdefault(value.tag, {})[event.step] = number
    return {tag: [steps[step] for step in sorted(steps)] for tag, steps in found.items()}


def _events(data: bytes) -> Iterator[Any]:
    """Each complete event. A record is 8 bytes of length, a 4-byte checksum, the message, and a 4-byte checksum."""
    place, count = 0, 0
    while place + 16 <= len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        end = place + 12 + length
        if end + 4 > len(data):
            if not count:
                raise Unharvestable("not a file of TensorBoard's events")
            return
        if length <= MAX_RECORD:
            try:
                yield _event().FromString(data[place + 12 : end])
            except DecodeError:
                raise Unharvestable("not a file of TensorBoard's events") from None
        place, count = end + 4, count + 1
        if count > MAX_RECORDS:
            raise Unharvestable(f"more than {MAX_RECORDS} records")


def _scalar(value: Any) -> float | None:
    """The number of a scalar, as TensorBoard 1 and 2 write it; None for a picture, a histogram or a text."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if not value.HasField("tensor") or value.tensor.dtype not in _FLOATS:
        return None
    field, packed = _FLOATS[value.tensor.dtype]
    given = getattr(value.tensor, field)
    if len(given) == 1:
        return float(given[0])
    content = value.tensor.tensor_content
    return float(struct.unpack(packed, content)[0]) if len(content) == struct.calcsize(packed) else None


@cache
def _event() -> Any:
    """The protobuf class of an event."""
    file = descriptor_pb2.FileDescriptorProto(name="runner/events.proto", package="runner", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".runner.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("runner.Event"))
