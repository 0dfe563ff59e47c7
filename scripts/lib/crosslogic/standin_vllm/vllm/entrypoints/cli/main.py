"""The command. `report` prints what its processes were, anything else becomes the program in `VLLM_STANDIN_PROGRAM`."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from pathlib import Path


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
    report |= {"oom_score": oom_score("self"), "server_oom_score": oom_score(report["core"]["parent"])}
    report |= {"command": os.getpid(), "exit_code": child.exitcode, "argv": sys.argv[1:]}
    print(json.dumps(report), flush=True)
    return 0


def oom_score(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())
