"""The whole mission on this machine, live.

A control plane hands a node its assignment; the node agent writes the credentials environment, starts vLLM, which
streams the model out of an S3 store; the agent follows the log and the process, and says READY once the model has
answered. Then one completion, the timeline, the heartbeat, SIGTERM, and a look at what is left: nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from crosslogic import http, install, swift
from crosslogic.agent import Agent
from crosslogic.console import Console, Stopwatch, bar, table
from crosslogic.model import MODEL
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack, interrupt_on_termination, prepare_engine
from crosslogic.waiting import NeverCameError, wait_for

PROMPT = "The quick fox"


class DemoError(Exception):
    """Something did not go as promised."""


@dataclass
class Options:
    engine: str
    keep: bool
    json: bool
    speed: float


def parse(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__, epilog="Ctrl-C cleans up everything.")
    parser.add_argument(
        "--engine",
        choices=["real", "simulated"],
        default="real",
        help="real: vLLM's CPU build, installed once (4 GB of disk while installing); simulated: a stand-in that "
        "replays what the real one printed and serves the same endpoints",
    )
    parser.add_argument("--keep", action="store_true", help="stay up once it serves, and say how to look at it")
    parser.add_argument("--json", action="store_true", help="what was seen as one JSON object on standard output")
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="N", help="the simulated engine's transcript, N times as fast"
    )
    return Options(**vars(parser.parse_args(arguments)))


class Demo:
    def __init__(self, options: Options, stack: Stack, console: Console) -> None:
        self.options = options
        self.stack = stack
        self.console = console
        self.report: dict[str, Any] = {"engine": options.engine}

    def run(self) -> None:
        agent, node = self.bring_up()
        self.follow_until_serving(agent)
        self.show_node(node)
        self.complete(agent)
        self.show_timeline(agent)
        self.show_heartbeat(agent)
        if self.options.keep:
            self.stay(agent, node)
        self.stop(agent)
        self.check_secrets(node)

    def say(self, label: str, text: str) -> None:
        self.console.line(f"{label:<14} {text}")

    # MARK: the way up

    def bring_up(self) -> tuple[Agent, str]:
        engine = prepare_engine(self.options.engine, self.stack, self.console, self.options.speed)
        version = "" if engine.is_real else f", {self.options.speed:g} times as fast"
        self.say("engine", f"{engine.name} vLLM {install.VLLM_VERSION} (CPU{version}): {engine.executable}")
        store = self.stack.start_store()
        self.say("S3 server", f"{store.endpoint} holds s3://{BUCKET}/{MODEL}")
        control_plane = self.stack.start_control_plane()
        self.say("control plane", control_plane.url)
        node, token = control_plane.create_node()
        self.say("node", f"{node} created: POST {control_plane.url}/api/v1/nodes")
        agent = self.stack.add_agent(engine, node, token)
        agent.start()
        self.say("agent", f"pid {agent.running.pid}, heartbeat {agent.heartbeat_url}/v1/heartbeat")
        return agent, node

    def follow_until_serving(self, agent: Agent) -> None:
        watch = Stopwatch()

        def look() -> dict[str, Any] | None:
            answer = http.try_get(agent.heartbeat_url + "/v1/heartbeat")
            if answer is None or answer.status != 200:
                return None
            beat = answer.json
            self.console.stage(f"  {beat['state']:<10} {beat['phase']:<18}", self.progress(beat, watch))
            if beat["state"] == "failed":
                raise DemoError(failure_text(beat))
            return beat if beat["state"] == "serving" else None

        wait_for("the model serves", look, agent.engine.start_seconds, agent.running.why_gone)
        ready = wait_for("READY=1", lambda: agent.notify and agent.notify.first("READY", "1"), 5)
        self.report["ready_s"] = ready.boot_time - agent.running.exec_boot_time
        self.say("READY", f"{self.report['ready_s']:.2f} s after the agent's exec")

    def progress(self, beat: dict[str, Any], watch: Stopwatch) -> str:
        progress = beat.get("progress")
        weights = f" {bar(progress['fraction'])}" if progress and progress.get("fraction") is not None else ""
        return f"{weights}  {watch.seconds:5.1f} s  {beat['status']}"

    # MARK: what is there

    def show_node(self, node: str) -> None:
        """The control plane learns of it by the ready event."""
        known = wait_for(
            "the control plane knows", lambda: self.serving_node(node), 10, self.stack.control_plane.part.why_gone
        )
        self.report["startup_s"] = known["startup_s"]
        self.say("control plane", f"state {known['state']}, start-up {known['startup_s']:.2f} s (assignment to READY)")

    def serving_node(self, node: str) -> dict[str, Any] | None:
        known = self.stack.control_plane.node(node)
        return known if known["state"] == "serving" else None

    def complete(self, agent: Agent) -> None:
        request = {"model": MODEL, "prompt": PROMPT, "max_tokens": 12, "temperature": 1.0, "seed": 1}
        answer = http.call("POST", agent.engine_url + "/v1/completions", request, seconds=60)
        if answer.status != 200:
            raise DemoError(f"the completion was answered with {answer.status}: {answer.text}")
        text = answer.json["choices"][0]["text"]
        self.report["completion"] = text
        self.say("completion", f"{PROMPT!r} → {text!r} (random weights)")

    def show_timeline(self, agent: Agent) -> None:
        timeline = agent.timeline()
        self.report |= {"timeline": timeline["timeline"], "timings": timeline["timings"]}
        marks = timeline["timeline"]
        start = marks[0]["at_s"]
        rows = [["phase", "at s", "+ s", "seen by"]]
        for before, mark in zip([marks[0], *marks], marks, strict=False):
            rows.append(
                [mark["phase"], f"{mark['at_s'] - start:.3f}", f"{mark['at_s'] - before['at_s']:.3f}", mark["source"]]
            )
        self.console.line()
        for line in table(rows, right={1, 2}):
            self.console.line("  " + line)
        self.console.line()

    def show_heartbeat(self, agent: Agent) -> None:
        url = agent.heartbeat_url + "/v1/heartbeat"
        self.report["heartbeat"] = agent.heartbeat()
        curl = shutil.which("curl")
        if curl:
            text = subprocess.run([curl, "-sS", url], capture_output=True, text=True, check=True).stdout
            beat = json.loads(text)
        else:
            beat = self.report["heartbeat"]
        self.console.line(f"$ curl -s {url}")
        for name, value in beat.items():
            self.console.line(f'  "{name}": {"[…]," if name in ("timeline", "phases") else json.dumps(value) + ","}')
        self.console.line()

    def stay(self, agent: Agent, node: str) -> None:
        token = f"$(sed -n 's/^CROSSLOGIC_ADMIN_TOKEN=//p' {self.stack.control_plane.env_file})"
        for line in (
            "",
            "It stays up until Ctrl-C. To look at it:",
            f"  {agent.binary} status --heartbeat {agent.heartbeat_url}",
            f"  {agent.binary} timeline --heartbeat {agent.heartbeat_url}",
            f"  curl -s {agent.heartbeat_url}/v1/heartbeat",
            f"  curl -s {agent.engine_url}/v1/models",
            f'  curl -s -H "Authorization: Bearer {token}" {self.stack.control_plane.url}/api/v1/nodes/{node}',
            f"  tail -f {agent.engine_log} {agent.log}",
        ):
            self.console.line(line)
        while not agent.running.has_exited:
            time.sleep(0.5)
        raise DemoError(agent.running.why_gone() or "the agent ended")

    # MARK: the way down

    def stop(self, agent: Agent) -> None:
        watch = Stopwatch()
        self.console.stage("stopping", ": SIGTERM to the agent, it drains and ends the engine")
        agent.running.send(signal.SIGTERM)
        code = agent.running.wait(90)
        left = self.stack.left_over(agent)
        self.report["stop"] = {"exit_code": code, "seconds": watch.seconds, "left": left}
        self.say("SIGTERM", f"the agent ended with exit code {code} after {watch.seconds:.1f} s")
        if code != 0 or left:
            raise DemoError(f"exit code {code}, left over: {', '.join(left) or 'nothing'}")
        self.say("left over", f"no process, nobody listens on port {agent.engine_port}")

    def check_secrets(self, node: str) -> None:
        leaked = self.stack.leaked_secrets([self.stack.control_plane.events(node), self.report])
        self.report["leaked_secrets"] = leaked
        if leaked:
            raise DemoError("secrets where they must not be: " + ", ".join(leaked))
        count = len(self.stack.canaries.values)
        self.say("secrets", f"none of the {count} is in a log, an event, the heartbeat or a command line")


def failure_text(beat: dict[str, Any]) -> str:
    failure = beat.get("failure") or {}
    lines = [f"{failure.get('class', 'failed')}: {failure.get('message', beat.get('status', ''))}"]
    lines += [f"  {line}" for line in failure.get("evidence", [])]
    if remedy := failure.get("remedy"):
        lines.append(f"  {remedy}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    console = Console(sys.stderr if options.json else sys.stdout)
    interrupt_on_termination()
    try:
        binaries = swift.release_binaries(console)
        rclone = install.ensure_tools(console) / "bin" / "rclone"
        if options.engine == "real":
            install.ensure_engine(console)
        with Stack(binaries, rclone, "demo") as stack:
            demo = Demo(options, stack, console)
            try:
                demo.run()
            except (DemoError, NeverCameError):
                stack.keep_folder = True
                raise
            finally:
                console.done()
                if options.json and not stack.keep_folder:
                    json.dump(demo.report, sys.stdout, indent=1)
                    print()
    except (DemoError, NeverCameError, install.InstallError, swift.BuildError) as error:
        console.line(f"failed: {error}")
        if "stack" in locals():
            console.line(f"The logs are in {stack.folder}")
        return 1
    except KeyboardInterrupt:
        console.done()
        console.line("stopped; nothing is left running")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
