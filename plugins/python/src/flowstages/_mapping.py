"""Files one behind the other in memory, so that several chunks are one array without a copy."""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import weakref
from pathlib import Path
from typing import Any, List, Optional

#: Sizes of pages that systems have.
PAGES = (64 << 10, 16 << 10, 4 << 10)
_MAP_FIXED = 0x10
_FAILED = ctypes.c_void_p(-1).value


def whole_pages(rows: int, most: int, row_bytes: int) -> int:
    """About so many rows a chunk, of `most` at most, so that chunks end with a page of memory if that can be."""
    for page in PAGES:
        step = page // math.gcd(row_bytes, page)
        if step <= most:
            return min(-(-rows // step) * step, most // step * step)
    return rows


def side_by_side(files: List[Path], size: int) -> Optional[Any]:
    """Files of `size` bytes each as one piece of memory that can only be read.

    None where the system cannot place them so: they must end with a page.
    """
    if size % mmap.PAGESIZE != 0 or not hasattr(mmap, "MAP_ANONYMOUS"):
        return None
    total = size * len(files)
    system = ctypes.CDLL(None, use_errno=True)
    system.mmap.restype = ctypes.c_void_p
    number = ctypes.c_int
    system.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, number, number, number, ctypes.c_ssize_t]
    system.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    # A place for all of them, which nothing else can take meanwhile.
    base = system.mmap(None, total, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if base in (None, _FAILED):
        return None
    memory = (ctypes.c_char * total).from_address(base)
    # At the end of the process all memory goes, and who still uses it must not find it gone before.
    weakref.finalize(memory, system.munmap, base, total).atexit = False
    for index, path in enumerate(files):
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size < size:
                raise ValueError(f"{path} is shorter than its {size} bytes")
            place = base + index * size
            flags = mmap.MAP_SHARED | _MAP_FIXED
            if system.mmap(place, size, mmap.PROT_READ, flags, file.fileno(), 0) != place:
                return None
    return memory
