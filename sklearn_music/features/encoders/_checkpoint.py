"""Read a checkpoint of TensorFlow, without TensorFlow.

A checkpoint is a table of names (``.index``) beside the numbers (``.data-00000-of-00001``). The
table is LevelDB's format (https://github.com/google/leveldb/blob/main/doc/table_format.md): blocks
of sorted keys, each key written as what differs from the one before. Each value is a protocol
buffer, ``BundleEntryProto`` of TensorFlow's ``tensor_bundle.proto``.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0xDB4775248B80FB57
_FLOAT32 = 1  # DT_FLOAT of TensorFlow's types.proto


def read_checkpoint(prefix: str) -> dict[str, NDArray[np.float32]]:
    """Return the float32 tensors of a checkpoint, by their names.

    Parameters
    ----------
    prefix : str
        What the names of its files have in common, without the dot.

    Raises
    ------
    ValueError
        If the files are no checkpoint of one part.
    """
    index = Path(f"{prefix}.index").read_bytes()
    data = Path(f"{prefix}.data-00000-of-00001").read_bytes()
    tensors = {}
    try:
        if struct.unpack("<Q", index[-8:])[0] != _MAGIC:
            raise ValueError("it is no table of LevelDB")
        # The footer begins with the places of two blocks, each an offset and a size.
        footer = _varints(index[-48:-8])
        _, _, start, size = (next(footer) for _ in range(4))
        for _, handle in _entries(index, start, size):
            place = _varints(handle)
            for key, value in _entries(index, next(place), next(place)):
                entry = _Message(value)
                if key and entry.number(1) == _FLOAT32:  # the empty key holds a header
                    tensors[key.decode()] = _tensor(entry, data)
    except (IndexError, StopIteration, struct.error, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{prefix}.index is no checkpoint that can be read: {error}") from error
    return tensors


def _tensor(entry: "_Message", data: bytes) -> NDArray[np.float32]:
    """Return the tensor of an entry: dtype 1, shape 2, shard 3, offset 4, size 5."""
    if entry.number(3):
        raise ValueError("it has several parts, expected one")
    shapes = [_Message(shape) for shape in entry.texts(2)]
    shape = [_Message(size).number(1) for dims in shapes for size in dims.texts(2)]
    offset, size = entry.number(4), entry.number(5)
    if math.prod(shape) * 4 != size or offset + size > len(data):
        raise ValueError(f"a tensor of shape {shape} has {size} bytes")
    return np.frombuffer(data, "<f4", math.prod(shape), offset).reshape(shape)


def _entries(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block."""
    if table[start + size]:  # the byte behind a block
        raise ValueError("its table is compressed")
    block = table[start : start + size]
    n_restarts = struct.unpack("<I", block[-4:])[0]
    end = len(block) - 4 - 4 * n_restarts
    position, key = 0, b""
    while position < end:
        n_shared, position = _varint(block, position)
        n_new, position = _varint(block, position)
        n_value, position = _varint(block, position)
        key = key[:n_shared] + block[position : position + n_new]
        position += n_new
        yield key, block[position : position + n_value]
        position += n_value


class _Message:
    """The fields of a protocol buffer, by their numbers."""

    def __init__(self, message: bytes) -> None:
        self.numbers: dict[int, int] = {}
        self._texts: dict[int, list[bytes]] = {}
        position = 0
        while position < len(message):
            tag, position = _varint(message, position)
            if tag & 7 == 0:
                self.numbers[tag >> 3], position = _varint(message, position)
                continue
            size = {1: 8, 5: 4}.get(tag & 7)
            if size is None:
                size, position = _varint(message, position)
            self._texts.setdefault(tag >> 3, []).append(message[position : position + size])
            position += size

    def number(self, field: int) -> int:
        """Return a number; what is not there is 0."""
        return self.numbers.get(field, 0)

    def texts(self, field: int) -> list[bytes]:
        """Return all values of a field of bytes."""
        return self._texts.get(field, [])


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position


def _varints(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value
