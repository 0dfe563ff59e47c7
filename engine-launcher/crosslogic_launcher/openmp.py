"""OpenMP reads its variables when its library is loaded; a forked process finds it loaded."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

PLACE = re.compile(r"\{([0-9, ]+)\}")


def adopt(loaded_with: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """What `wanted` would have meant to the library, where that differs from what it was loaded with.

    Before anything in this process runs in parallel: the threads of the pool inherit the binding.
    """
    cpus = bound_cpus(wanted)
    if cpus and wanted.get("OMP_PLACES") != loaded_with.get("OMP_PLACES"):
        os.sched_setaffinity(0, cpus)
    number = wanted.get("OMP_NUM_THREADS", "").partition(",")[0]
    torch = sys.modules.get("torch")
    if torch is not None and number.isdigit() and number != loaded_with.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(number))


def bound_cpus(variables: Mapping[str, str]) -> set[int]:
    """Where there is one place that all threads are bound to, as vLLM's CPU build has it; else empty."""
    place = PLACE.fullmatch(variables.get("OMP_PLACES", ""))
    if place is None or variables.get("OMP_PROC_BIND", "").lower() != "true":
        return set()
    return {int(number) for number in place[1].split(",")}
