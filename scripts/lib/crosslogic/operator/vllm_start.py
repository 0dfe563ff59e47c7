"""The same comparison with the whole engine: from its exec to the first 200 of /health, and what of it was loading."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosslogic import http
from crosslogic.operator.engine_place import EnginePlace
from crosslogic.operator.outcome import Exit, OperatorError
from crosslogic.part import Part
from crosslogic.ports import free_port
from crosslogic.waiting import NeverCameError, wait_for

STARTS_WITHIN = 1800
# Of the streamer, and of vLLM's loader for files; there is no line that both print.
LOAD_TIMES = [
    re.compile(r"Overall time to stream .*: ([\d.]+)s"),
    re.compile(r"Loading weights took ([\d.]+) seconds"),
]
OURS = ["--enforce-eager", "--max-model-len", "512"]


@dataclass(frozen=True)
class Start:
    way: str
    download_s: float
    """Before the engine's exec; none where it streams."""
    load_s: float | None
    """As the engine's log says."""
    ready_s: float
    """From the beginning of the download or, without one, from exec."""

    def as_json(self) -> dict[str, Any]:
        return {name: None if value is None else value for name, value in vars(self).items()}


def start(
    engine: EnginePlace, way: str, model: str, arguments: list[str], environment: dict[str, str], download_s: float = 0
) -> Start:
    """Starts it, waits until it answers, ends it and everything it started."""
    folder = Path(tempfile.mkdtemp(prefix="crosslogic-vllm-"))
    port = free_port()
    command = [
        str(engine.vllm), "serve", model, "--host", "127.0.0.1", "--port", str(port), "--dtype", "bfloat16",
        "--disable-log-stats", *arguments, *(OURS if engine.is_ours else []),
    ]  # fmt: skip
    variables = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ},
        "RUNAI_STREAMER_LOG_TO_STDERR": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CACHE_ROOT": str(folder / "cache"),
        "VLLM_ASSETS_CACHE": str(folder / "assets"),
        "PYTHONUNBUFFERED": "1",
        **({"VLLM_CPU_KVCACHE_SPACE": "1"} if engine.is_ours else {}),
        **environment,
    }
    started = time.monotonic()
    part = Part("vLLM", command, folder / "vllm.log", variables)
    keep = True
    try:
        wait_for("vLLM answers", lambda: is_healthy(port), STARTS_WITHIN, part.why_gone)
        ready = time.monotonic() - started
        text = part.text()
        keep = False
    except NeverCameError as error:
        raise OperatorError(Exit.UNAVAILABLE, str(error), f"Its log is {part.log}.") from error
    finally:
        # SIGTERM during a start is lost on vLLM; the group is killed after that.
        part.stop(30 if not keep else 1)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    said = [float(match[1]) for pattern in LOAD_TIMES for match in pattern.finditer(text)]
    return Start(way, round(download_s, 3), max(said, default=None), round(download_s + ready, 3))


def is_healthy(port: int) -> bool:
    answer = http.try_get(f"http://127.0.0.1:{port}/health")
    return answer is not None and answer.status == 200
