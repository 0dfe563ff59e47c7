"""What the tests of one agent in one kind of trouble have in common."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from crosslogic import http, procfs
from crosslogic.agent import Agent
from crosslogic.engine import START_MODES
from crosslogic.model import MODEL
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for

STARTS_WITHIN = 20
RETRIES_WITHIN = 60

in_all_start_modes = pytest.mark.parametrize("start_mode", START_MODES, indirect=True)

StartAgent = Callable[..., Agent]


def assignment(stack: Stack, generation: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "generation": generation,
        "model": MODEL,
        "model_uri": f"s3://{BUCKET}/{MODEL}",
        "r2": {
            "endpoint": stack.store.endpoint,
            "bucket": BUCKET,
            "access_key_id": stack.store.access_key,
            "secret_access_key": stack.store.secret_key,
        },
        **changes,
    }


def state(agent: Agent) -> str:
    return agent.heartbeat()["state"]


def wait_for_state(agent: Agent, wanted: str, seconds: float = STARTS_WITHIN) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        answer = http.try_get(agent.heartbeat_url + "/v1/heartbeat")
        if answer is None or answer.status != 200:
            return None
        return answer.json if answer.json["state"] == wanted else None

    return wait_for(f"state {wanted}", look, seconds, agent.running.why_gone)


def engine_processes(agent: Agent) -> list[procfs.Process]:
    return [p for p in procfs.writing_below(agent.folder) if p.session != agent.running.pid]


def kill_process(agent: Agent, title: str) -> None:
    os.kill(next(p.pid for p in engine_processes(agent) if p.title == title), signal.SIGKILL)
