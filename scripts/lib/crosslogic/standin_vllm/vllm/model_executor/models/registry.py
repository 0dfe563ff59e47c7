"""Where a model's class is looked at, by a process of its own as in vLLM."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SUBPROCESS_COMMAND = [sys.executable, "-m", "vllm.model_executor.models.registry"]


def look() -> dict[str, Any]:
    """By the process that was made for it; ends it where the variable says so."""
    print("printed while looking", flush=True)
    if os.environ.get("VLLM_STANDIN_INSPECTION_FAILS"):
        raise ValueError("no such class")
    return {"pid": os.getpid(), "parent": os.getppid(), "was_there": "vllm.v1.worker" in sys.modules}


def _run_in_subprocess(function: Callable[[], Any]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "registry_output.tmp"
        data = pickle.dumps((function, str(output)))
        returned = subprocess.run(_SUBPROCESS_COMMAND, input=data, capture_output=True)  # noqa: PLW1510 - as vLLM
        try:
            returned.check_returncode()
        except Exception as error:
            raise RuntimeError(f"Error raised in subprocess:\n{returned.stderr.decode()}") from error
        return pickle.loads(output.read_bytes())


def _run() -> None:
    function, output = pickle.loads(sys.stdin.buffer.read())
    Path(output).write_bytes(pickle.dumps(function()))


if __name__ == "__main__":
    _run()
