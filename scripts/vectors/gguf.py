"""Writes GGUF files, version 3: keys, then the table of tensors, then their numbers as F32, aligned to 32 bytes. It reads none.
The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md."""

import struct
from pathlib import Path

import numpy as np

ALIGNMENT = 32
U32, I32, F32, BOOL, TEXT, ARRAY = 4, 5, 6, 7, 8, 9


def write(path: Path, keys: dict, tensors: dict[str, np.ndarray]) -> None:
    """`keys` hold bool, int, float, text, or lists of one of these. A tensor's rows are its last axis, as numpy has them."""
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)))
    for key, value in keys.items():
        kind, data = encoded(value)
        head += text(key) + struct.pack("<I", kind) + data
    offset = 0
    for name, tensor in tensors.items():
        head += text(name) + struct.pack(f"<I{tensor.ndim}QIQ", tensor.ndim, *reversed(tensor.shape), 0, offset)
        offset += aligned(tensor.size * 4)
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        file.write(head.ljust(aligned(len(head)), b"\0"))
        for tensor in tensors.values():
            data = np.ascontiguousarray(tensor, dtype="<f4").tobytes()
            file.write(data.ljust(aligned(len(data)), b"\0"))
    part.rename(path)


def encoded(value) -> tuple[int, bytes]:
    match value:
        case bool():
            return BOOL, struct.pack("<?", value)
        case int():
            return U32, struct.pack("<I", value)
        case float():
            return F32, struct.pack("<f", value)
        case str():
            return TEXT, text(value)
        case list():
            kind = TEXT if isinstance(value[0], str) else I32
            members = (text(one) if kind == TEXT else struct.pack("<i", one) for one in value)
            return ARRAY, struct.pack("<IQ", kind, len(value)) + b"".join(members)
    raise TypeError(f"{value!r} has no place in a GGUF file")


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
