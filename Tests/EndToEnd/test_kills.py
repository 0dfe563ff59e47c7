"""No event is lost, applied twice or out of order, whoever dies when."""

from __future__ import annotations

import os

from crosslogic import killing
from crosslogic.stack import Stack

KILLS = 1000 if "CROSSLOGIC_LONG" in os.environ else 30


def test_random_kills_of_agent_and_control_plane(stack: Stack) -> None:
    account = killing.run(stack, KILLS)
    print(account)
    assert sum(account.kills.values()) == KILLS
    assert account.events > KILLS / 2
    assert account.lost == []
    assert account.twice == []
    assert account.out_of_order == 0
