"""No event is lost, applied twice or out of order, and no process is left, whoever dies when."""

from __future__ import annotations

import os

from crosslogic import killing, procfs
from crosslogic.engine import SimulatedEngine
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from support import in_all_start_modes

KILLS = 1000 if "CROSSLOGIC_LONG" in os.environ else 30


@in_all_start_modes
def test_random_kills_of_agent_and_control_plane(stack: Stack, stand_in: SimulatedEngine) -> None:
    account = killing.run(stack, KILLS, engine=stand_in)
    print(account)
    assert sum(account.kills.values()) == KILLS
    assert account.events > KILLS / 2
    assert account.lost == []
    assert account.twice == []
    assert account.out_of_order == 0
    folder = str(stand_in.executable.parent.parent)
    wait_for("no engine is left", lambda: not [p for p in procfs.processes() if folder in p.command], 10)
