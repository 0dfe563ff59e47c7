"""The beginning of a checkpoint's file. All that a start reads of it which then turns out not to fit."""

from __future__ import annotations

import os
import struct

MAGIC = b"CLCKPT01"
HEADER = struct.Struct("<8s25Q")
"""`checkpoint_header` of native/checkpoint.h."""


def read_facts(descriptor: int) -> bytes:
    """What was written with it; nothing of a file that is no checkpoint."""
    header = os.pread(descriptor, HEADER.size, 0)
    if len(header) != HEADER.size or header[:8] != MAGIC:
        return b""
    _, _, tables, offset, size, *_ = HEADER.unpack(header)
    return os.pread(descriptor, min(size, tables), offset)
