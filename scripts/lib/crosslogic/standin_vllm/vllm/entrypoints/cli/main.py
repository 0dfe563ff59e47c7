"""The command. `report` prints what its processes were, anything else becomes the program in `VLLM_STANDIN_PROGRAM`."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

SALT = os.environ.setdefault("VLLM_STANDIN_SET_BY_IMPORT", "yes")
# Made before the process is kept, where it is: what is drawn from it must not be drawn twice.
ssl.RAND_bytes(16)


def main() -> int:
    # As vLLM's CPU build does for its workers: set before the process, meant for it.
    os.environ["OMP_NUM_THREADS"] = "3"
    from vllm.model_executor.models import registry
    from vllm.v1.engine import core

    try:
        inspection = registry._run_in_subprocess(registry.look)
    except RuntimeError as error:
        inspection = {"error": str(error)}
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=core.run, args=(theirs,), name="EngineCore")
    child.start()
    report = ours.recv()
    child.join()
    if sys.argv[1:2] != ["report"]:
        program = Path(sys.argv[0]).with_name("simulated")
        os.execv(program, [str(program), *sys.argv[1:]])
    report["inspection"] = inspection
    report["vigour"] = vigour()
    report |= {"oom_score": oom_score("self"), "server_oom_score": oom_score(report["core"]["parent"])}
    report |= {"command": os.getpid(), "exit_code": child.exitcode, "argv": sys.argv[1:]}
    print(json.dumps(report), flush=True)
    return 0


def oom_score(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def vigour() -> dict[str, object]:
    """Of the process: what it has from the kernel, and what of it a process made from another's memory might lack."""
    heard: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    thread = threading.Thread(target=lambda: heard.append(threading.get_native_id()))
    thread.start()
    thread.join()
    child = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=False)
    blocks = [bytearray(1 << shift) for shift in range(4, 27)]
    return {
        "heard": heard,
        "thread": threading.get_native_id(),
        "child": child.stdout.strip(),
        "depth": deep(900),
        "memory": sum(map(len, blocks)),
        "monotonic": time.monotonic(),
        "drawn": [random.random(), ssl.RAND_bytes(16).hex()],
        "title": Path("/proc/self/cmdline").read_bytes().decode().split("\0"),
        "name": Path("/proc/self/comm").read_text().strip(),
        "wiped": wiped(),
        "cpu": len(os.sched_getaffinity(0)),
        "descriptors": sorted(map(int, os.listdir("/proc/self/fd"))),  # noqa: PTH208 - names
    }


def wiped() -> list[str]:
    """What is written to such memory, and what of it a forked child finds."""
    module = sys.modules.get("vllm.trouble.wiped")
    if module is None:
        return []
    module.MEMORY[:4] = b"abcd"
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.write(theirs, module.MEMORY[:4])
        os._exit(0)
    os.wait()
    return [module.MEMORY[:4].decode(), os.read(ours, 4).decode()]


def deep(levels: int) -> int:
    return 1 + deep(levels - 1) if levels else 0
