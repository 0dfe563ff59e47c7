"""The heartbeat is answered throughout: PID 1 holds its socket while no agent runs."""

from __future__ import annotations

from crosslogic import http
from crosslogic.hammer import Hammer
from crosslogic.ports import free_port
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, Node, another_agent, assignment
from scripted_control_plane import ScriptedControlPlane

THREADS = 2
KILLS = 5


def test_no_poll_is_refused_or_cut_over_a_restart(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    with Hammer(f"{node.url}/v1/heartbeat", THREADS) as hammer:
        for _ in range(3):
            node.systemctl("restart", AGENT)
    print(hammer)
    assert hammer.count("answered") == hammer.in_time > 20
    # Not even "the agent is starting": who is answered is told of the node that serves.
    assert hammer.statuses == {200}


def test_no_poll_is_refused_over_crashes(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    with Hammer(f"{node.url}/readyz", THREADS) as hammer:
        for _ in range(KILLS):
            agent = node.main_pid(AGENT)
            node.signal_agent("KILL")
            another_agent(node, agent)
            node.wait_for_state("serving")
    print(hammer)
    assert hammer.count("refused") == hammer.count("silent") == 0
    # What an agent was busy with when it was killed dies with it: of each poller at most one poll.
    assert hammer.count("cut") <= KILLS * THREADS
    assert hammer.statuses == {200}


def test_polls_start_no_agent_that_was_stopped(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    node.systemctl("stop", AGENT)
    with Hammer(f"{node.url}/healthz", THREADS) as hammer:
        wait_for("fifty polls", lambda: len(hammer.polls) > 50, 10)
    assert hammer.count("refused") == len(hammer.polls)
    assert node.machine.property(AGENT, "ActiveState") == "inactive"
    assert node.machine.property(AGENT, "NFileDescriptorStore") == "0"
    node.start_and_serve()


def test_address_changed_in_the_settings_holds_from_the_restart_on(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    before = node.url
    port = free_port()
    node.configure(CROSSLOGIC_HEARTBEAT_LISTEN=f"127.0.0.1:{port}")
    node.url = f"http://127.0.0.1:{port}"
    node.systemctl("restart", AGENT)
    node.wait_for_state("serving")
    assert http.try_get(f"{before}/healthz") is None
    # The new one is kept from now on, and the old one is not any more.
    assert node.machine.property(AGENT, "NFileDescriptorStore") == "1"
    with Hammer(f"{node.url}/healthz", THREADS) as hammer:
        node.systemctl("restart", AGENT)
    assert hammer.count("answered") == hammer.in_time


def test_drop_in_that_forbids_keeping_is_heeded(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    node.drop_in(AGENT, "[Service]\nFileDescriptorStoreMax=0\n")
    plane.assign(**assignment(stack))
    node.start_and_serve()
    node.systemctl("restart", AGENT)
    node.wait_for_state("serving")
    assert node.machine.property(AGENT, "NFileDescriptorStore") == "0"
