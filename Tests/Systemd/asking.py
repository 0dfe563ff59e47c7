"""A client of the engine on a booted node."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from crosslogic import http
from crosslogic.model import MODEL
from crosslogic.waiting import wait_for
from node import Node


@contextmanager
def asking(node: Node, tokens: int) -> Iterator[Future[http.Answer]]:
    """An answer on its way, of which the engine says that it has it in hand."""
    engine = f"http://127.0.0.1:{node.engine_port}"
    request = {"model": MODEL, "prompt": "Hello", "max_tokens": tokens, "ignore_eos": True}
    with ThreadPoolExecutor() as clients:
        answer = clients.submit(http.call, "POST", f"{engine}/v1/completions", request, seconds=60)
        wait_for("a request in flight", lambda: in_flight(engine) == 1, 10)
        yield answer


def in_flight(engine: str) -> int | None:
    answer = http.try_get(f"{engine}/load")
    return answer.json["server_load"] if answer else None
