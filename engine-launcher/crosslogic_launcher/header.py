"""The beginning of a checkpoint's file. All that a start reads of it which then turns out not to fit."""

from __future__ import annotations

import os
import struct
from pathlib import Path

MAGIC = b"CLCKPT01"
HEADER = struct.Struct("<8s25Q")
"""`checkpoint_header` of native/checkpoint.h."""


def read_facts(path: Path) -> bytes | None:
    """What was written with it; None where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        header = os.read(descriptor, HEADER.size)
        if len(header) != HEADER.size or header[:8] != MAGIC:
            return b""
        _, _, tables, offset, size, *_ = HEADER.unpack(header)
        return os.pread(descriptor, min(size, tables), offset)
    finally:
        os.close(descriptor)
