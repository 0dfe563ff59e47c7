"""A small simulated fleet against the real control plane: nothing lost over crashes of either side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic import swift
from crosslogic.bench.fleet import SIMULATOR
from crosslogic.console import Console
from crosslogic.contract import contract, event_faults
from crosslogic.fleet import FleetStack, name
from crosslogic.waiting import wait_for

NODES = 200


@pytest.fixture(scope="module")
def fleet(binaries: Path, console: Console, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetStack]:
    """All of it serves, with engines dying and machines being taken away all the time."""
    simulator = swift.release_product(SIMULATOR, console)
    stack = FleetStack(tmp_path_factory.mktemp("fleet"), binaries / swift.CONTROL_PLANE, simulator, NODES)
    try:
        stack.register_nodes()
        stack.start_control_plane()
        stack.start_simulator(ramp=3, crashes=1, preemptions=0.5)
        wait_until_nearly_all_serve(stack)
        yield stack
    finally:
        stack.close()


def wait_until_nearly_all_serve(stack: FleetStack) -> None:
    since = len(stack.lines()) if stack.simulator and (stack.folder / "fleet.log").exists() else 0
    # Many are always down: they crash again and again, and are taken away.
    stack.wait_for_line(
        "nearly all serve", lambda line: line["serving"] > 0.5 * NODES and line["polling"] > 0.95 * NODES, 90, since
    )


def test_fleet_is_seen_alive(fleet: FleetStack) -> None:
    figures = fleet.ask("/api/v1/fleet")
    assert contract().faults("Fleet", figures) == []
    assert figures["nodes"] == NODES
    assert figures["liveness"]["alive"] + figures["liveness"]["left"] == NODES
    assert figures["brake"] is None
    assert figures["event_commits"] > 0


def test_what_simulated_nodes_send_is_what_agents_send(fleet: FleetStack) -> None:
    for index in range(0, NODES, 50):
        node = fleet.ask(f"/api/v1/nodes/{name(index)}")
        assert contract().faults("Node", node) == []
        assert contract().faults("Heartbeat", node["heartbeat"]["document"]) == []
        assert event_faults(fleet.ask(f"/api/v1/nodes/{name(index)}/events?limit=1000")["events"]) == []


def test_nothing_is_lost_over_a_kill_of_the_control_plane(fleet: FleetStack) -> None:
    before = fleet.ask("/api/v1/starts")["starts"][0]["count"]
    fleet.kill_control_plane()
    fleet.start_control_plane()
    wait_until_nearly_all_serve(fleet)
    assert fleet.ask("/api/v1/starts")["starts"][0]["count"] >= before
    assert fleet.ask("/api/v1/fleet")["liveness"]["lost"] == 0

    def whole() -> bool:
        # An event on its way may be behind one that has arrived; a gap that stays is a loss.
        return all(not node["sequence_gaps"] for node in fleet.ask("/api/v1/nodes?limit=1000")["nodes"])

    wait_for("every gap is filled", whole, 60)


def test_graceful_stop_loses_nothing_either(fleet: FleetStack) -> None:
    assert fleet.server.stop(20) == 0
    fleet.start_control_plane()
    wait_until_nearly_all_serve(fleet)
    wait_for(
        "every gap is filled",
        lambda: all(not node["sequence_gaps"] for node in fleet.ask("/api/v1/nodes?limit=1000")["nodes"]),
        60,
    )
