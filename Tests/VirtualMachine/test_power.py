"""A machine that is really restarted and switched off."""

from __future__ import annotations

from crosslogic.model import MODEL
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, SERVING
from scripted_control_plane import ScriptedControlPlane
from virtual_node import VirtualNode, virtual_assignment

SOON = 240
TOKENS = 40
# More than systemd's own default would give, less than logind's delay with our drop-in.
SECONDS_PER_TOKEN = 0.2


def endings(plane: ScriptedControlPlane) -> list[str]:
    """Each once: what is urgent is told again and again until it is taken."""
    events = {event["id"]: event for event in plane.events}
    names = [event["type"].split(".")[-2] for event in events.values()]
    return [name for name in names if name in {"ready", "preemption", "preempted", "stopped"}]


def ask_for_tokens(node: VirtualNode) -> None:
    """A request that takes its time, of somebody on the machine; returns when the engine has it in hand."""
    body = f'{{"model": "{MODEL}", "prompt": "Hello", "max_tokens": {TOKENS}, "ignore_eos": true}}'
    script = (
        "import urllib.request as u\n"
        "request = u.Request('http://127.0.0.1:8000/v1/completions', b'''" + body + "''', "
        "{'Content-Type': 'application/json'})\n"
        "u.urlopen(request, timeout=60).read()\n"
    )
    node.machine.write("/run/ask.py", script)
    node.machine.run("systemd-run", "--unit=ask", "--property=DefaultDependencies=no", "python3", "/run/ask.py")
    load = "python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/load').read().decode())\""
    wait_for("a request in flight", lambda: ":1}" in node.machine.shell(load, check=False).out.replace(" ", ""), SOON)


def test_reboot_drains_and_begins_anew_and_so_does_the_power_button(
    node: VirtualNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    """The agent is enabled by its package, and started by nobody after the first time."""
    node.behave(seconds_per_token=SECONDS_PER_TOKEN)
    plane.assign(**virtual_assignment(stack))
    node.start()
    plane.wait_for_event("ready", SOON)
    locks = node.machine.run("systemd-inhibit", "--list", "--no-legend").out
    assert [(line.split()[0], line.split()[-1]) for line in locks.splitlines() if " shutdown " in line] == [
        ("crosslogic-node-agent", "delay")
    ]

    ask_for_tokens(node)
    node.machine.reboot()
    # While everything still ran: the request in flight was finished, and that told, before systemd stopped anything.
    assert endings(plane)[:3] == ["ready", "preemption", "preempted"]
    announced, outcome = (plane.events_of(name)[0]["data"] for name in ("preemption", "preempted"))
    assert (announced["notice"]["source"], announced["in_flight"]) == ("logind", 1)
    assert (outcome["finished"], outcome["cut"]) == (1, 0)
    assert (node.last_exit() or {})["result"] == "success"
    # What was announced for the boot before does not count for this one.
    plane.wait_for_event("ready", SOON, after=1)
    wait_for("the target", lambda: node.is_active(SERVING), 20)
    assert node.machine.property(AGENT, "NRestarts") == "0"

    node.machine.press_power_button()
    node.machine.wait_until_off()
    assert plane.events_of("preempted")[1]["data"]["notice"]["source"] == "logind"
    assert endings(plane)[-1] == "stopped"
