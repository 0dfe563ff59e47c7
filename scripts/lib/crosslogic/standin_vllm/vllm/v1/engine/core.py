"""The process that vLLM calls EngineCore."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any


def run(answer: Any) -> None:
    was_there = "vllm.v1.worker" in sys.modules
    from vllm.v1 import worker

    for name in os.environ.get("VLLM_STANDIN_IMPORTS", "").split():
        importlib.import_module(name)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=worker.run, args=(theirs,), name="Worker")
    child.start()
    nested = ours.recv()
    child.join()
    while os.environ.get("AWS_STANDIN_LIVES"):
        if answer.poll(60):
            # Nobody writes to it: who would read the answer has ended.
            os._exit(1)
    answer.send({"core": facts(was_there), "worker": nested})
    if os.environ.get("AWS_STANDIN_CRASHES"):
        os.kill(os.getpid(), signal.SIGSEGV)
    sys.exit(7)


def facts(was_there: bool) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "was_there": was_there,
        "environment": dict(os.environ),
        "argv": sys.argv[1:],
        "oom_score": int(Path("/proc/self/oom_score_adj").read_text()),
        "name": multiprocessing.current_process().name,
    }
