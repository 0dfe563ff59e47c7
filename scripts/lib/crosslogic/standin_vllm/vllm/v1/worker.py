"""The process that vLLM calls Worker."""

from __future__ import annotations

import sys
from typing import Any

THERE = sys.modules.get("vllm.v1.engine.core") is not None


def run(answer: Any) -> None:
    from vllm.v1.engine.core import facts

    answer.send(facts(THERE))
