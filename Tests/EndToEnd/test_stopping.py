"""However it is stopped, and whenever: drained where it can be, and nothing is left."""

from __future__ import annotations

import signal
import socket

from crosslogic.engine import SimulatedEngine
from crosslogic.model import MODEL
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import (
    STARTS_WITHIN,
    StartAgent,
    assignment,
    engine_processes,
    in_all_start_modes,
    wait_for_state,
)

pytestmark = in_all_start_modes


def test_sigterm_while_it_loads_leaves_nothing(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    """The engine loses the first SIGTERM of its start, so one is not enough."""
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for("EngineCore", lambda: "VLLM::EngineCore" in [p.title for p in engine_processes(agent)], STARTS_WITHIN)
    agent.running.send(signal.SIGTERM)
    assert agent.running.wait(30) == 0
    assert stack.left_over(agent) == []


def test_engine_deaf_to_sigterm_is_killed(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(sigterm="never")
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url, CROSSLOGIC_DRAIN_TIMEOUT="1")
    wait_for_state(agent, "serving")
    agent.running.send(signal.SIGTERM)
    assert agent.running.wait(40) == 0
    assert stack.left_over(agent) == []


def test_request_in_flight_is_drained(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.02)
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    body = b'{"model":"%s","prompt":"Hello","max_tokens":100,"stream":true}' % MODEL.encode()
    with socket.create_connection(("127.0.0.1", agent.engine_port)) as client:
        client.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        received = client.recv(65536)
        agent.running.send(signal.SIGTERM)
        while chunk := client.recv(65536):
            received += chunk
    assert received.count(b"data: {") == 100
    assert b'"error"' not in received
    assert received.endswith(b"data: [DONE]\n\n")
    assert agent.running.wait(30) == 0


def test_revoked_node_stops_for_good(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    plane.revoke()
    assert agent.running.wait(30) == 0
    assert stack.left_over(agent) == []
