"""Reads a GGUF file whose tensors are F32: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. A reader of its own, so that what is compared
does not pass through the code that is judged."""

import struct
from pathlib import Path

import numpy

KINDS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}


def read(path: Path) -> tuple[dict, dict[str, numpy.ndarray]]:
    """The metadata, and the tensors by name, outer dimension first."""
    data = path.read_bytes()
    at = 0

    def number(form: str):
        nonlocal at
        (value,) = struct.unpack_from(form, data, at)
        at += struct.calcsize(form)
        return value

    def text() -> str:
        nonlocal at
        length = number("<Q")
        at += length
        return data[at - length : at].decode("utf-8", "replace")

    def value(kind: int):
        if kind == 8:
            return text()
        if kind == 9:
            inner, count = number("<I"), number("<Q")
            return [value(inner) for _ in range(count)]
        return number(KINDS[kind])

    assert data[:4] == b"GGUF", path
    at = 4
    number("<I")
    tensors, keys = number("<Q"), number("<Q")
    head = {}
    for _ in range(keys):
        key = text()
        head[key] = value(number("<I"))
    table = []
    for _ in range(tensors):
        name = text()
        shape = [number("<Q") for _ in range(number("<I"))]
        kind, offset = number("<I"), number("<Q")
        assert kind == 0, f"{name} is of the tensor type {kind}"
        table.append((name, shape[::-1], offset))
    alignment = head.get("general.alignment", 32)
    begin = -(-at // alignment) * alignment
    found = {}
    for name, shape, offset in table:
        count = int(numpy.prod(shape))
        found[name] = numpy.frombuffer(data, "<f4", count, begin + offset).reshape(shape)
    return head, found
