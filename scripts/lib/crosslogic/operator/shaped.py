"""Inside the network namespace of `scripts/bench loading`: link, store, model, and the loads in turns.

`python -m crosslogic.operator.shaped RCLONE ENGINE FORM`, where FORM is a JSON object of `Form`'s fields; one JSON
object on standard output.

What can make one run differ from the next, and what is done about it. The arithmetic on this link sits on the edge
between two powers of two, so that noise chose the concurrency: the nearer one is taken. The tuned way always came right
after the download, which leaves the kernel gigabytes to write: the order is another each time. The kernel remembers of
an address how its last connection went: it is told not to. The first load finds a store that has not read its files:
one load does not count. What is left shows in `again`: the tuned settings a second time, as one more way.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from crosslogic.canaries import Canaries
from crosslogic.console import Console
from crosslogic.model import Tensor, safetensors
from crosslogic.operator import engine_place, loading, tuning
from crosslogic.operator.loading import LoadHost, Plan, Way
from crosslogic.operator.settings import StoreSettings
from crosslogic.operator.shaped_form import Form
from crosslogic.operator.store import Store
from crosslogic.part import Part
from crosslogic.paths import SCRIPTS
from crosslogic.stack import interrupt_on_termination

BUCKET, PREFIX = "models", "acme/shaped"
RTT_S = 0.030
HOPELESS = 1.5
"""A point of the sweep that takes so many times the best one's time in the first run is not measured again."""


def shape(form: Form) -> None:
    """Loopback is ours alone here; the store is behind a Unix socket, so that nothing passes it twice."""
    subprocess.run(["ip", "link", "set", "lo", "up", "mtu", "1500"], check=True)
    rate = f"{form.link_bytes_per_s * 8:.0f}bit"
    subprocess.run(
        ["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", rate, "burst", "256kb", "latency", "100ms"],
        check=True,
    )
    # Else a connection begins with what the kernel remembers of the last one.
    Path("/proc/sys/net/ipv4/tcp_no_metrics_save").write_text("1")


def raw_rate(seconds: float = 2) -> float:
    """What one plain TCP connection gets through, in bytes a second: the ceiling for everything else."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def blast() -> None:
            connection, _ = server.accept()
            with connection:
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    connection.sendall(bytes(1 << 18))

        threading.Thread(target=blast, daemon=True).start()
        received = 0
        with socket.create_connection(server.getsockname()) as client:
            started = time.monotonic()
            while data := client.recv(1 << 18):
                received += len(data)
            return received / (time.monotonic() - started)


def write_model(folder: Path, form: Form) -> None:
    folder.mkdir(parents=True)
    generator = random.Random(0)
    for shard in range(form.shards):
        tensors = [Tensor(f"layers.{shard}.{number}", form.tensor_bytes // 2, None) for number in range(form.tensors)]
        (folder / f"model-{shard}.safetensors").write_bytes(
            safetensors(tensors, [generator.randbytes(form.tensor_bytes) for _ in tensors])
        )


def start_store(rclone: Path, folder: Path, canaries: Canaries) -> tuple[Part, Path]:
    address = folder / "s3.sock"
    options = {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_AUTH_KEY": f'"{canaries.new("access key", 20)},{canaries.new("secret key", 40)}"',
        "RCLONE_VFS_CACHE_MODE": "off",
        "RCLONE_VFS_READ_CHUNK_SIZE": "0",
    }
    part = Part(
        "S3 server",
        [rclone, "serve", "s3", "--addr", f"unix://{address}", "--etag-hash", "", folder / "s3"],
        folder / "s3.log",
        {"PATH": os.environ["PATH"], "HOME": str(folder), **options},
    )
    part.wait_for_line("Starting s3 server", 15)
    return part, address


def start_link(folder: Path, address: Path, form: Form) -> tuple[Part, str]:
    part = Part(
        "link",
        [sys.executable, "-m", "crosslogic.bench.link", address, str(RTT_S), str(form.connection_bytes_per_s)],
        folder / "link.log",
        {"PATH": os.environ["PATH"], "PYTHONPATH": str(SCRIPTS / "lib")},
    )
    return part, f"http://127.0.0.1:{part.wait_for_line('listening on ([0-9]+)', 15)[1]}"


class Rounds:
    """Each way in turns, in another order each time, until it has been measured often enough."""

    def __init__(self, form: Form, tuned: int) -> None:
        self.form = form
        self.tuned = Way("tuned", "streamer", tuned)
        self.again = Way("again", "streamer", tuned)
        self.sweep = [Way(f"c={number}", "streamer", number) for number in form.sweep]
        self.seconds: dict[str, list[float]] = {}

    def ways(self, run: int) -> list[Way]:
        ways = [self.tuned, self.again, *(way for way in self.sweep if not self.is_hopeless(way))]
        if run < self.form.downloads:
            ways.append(Way("standard", "standard"))
        # The same orders each time the benchmark runs.
        random.Random(run).shuffle(ways)
        return ways

    def is_hopeless(self, way: Way) -> bool:
        mine = self.seconds.get(way.name)
        best = min((min(values) for name, values in self.seconds.items() if name != "standard"), default=None)
        return mine is not None and best is not None and min(mine) > HOPELESS * best

    def note(self, way: Way, seconds: float) -> None:
        self.seconds.setdefault(way.name, []).append(seconds)


def measure(folder: Path, engine: Path, endpoint: str, canaries: Canaries, form: Form) -> dict[str, Any]:
    console = Console(sys.stderr)
    settings = StoreSettings(endpoint, BUCKET, canaries.values["access key"], canaries.values["secret key"])
    store = Store(settings, connections=64)
    shards = {entry.key.rpartition("/")[2]: entry.size for entry in store.list(PREFIX + "/")}
    key = f"{PREFIX}/{next(iter(shards))}"
    link = tuning.probe(lambda offset, length: store.read(key, offset, length), next(iter(shards.values())))
    choice = tuning.choose(link)
    console.line(choice.why)
    rounds = Rounds(form, choice.concurrency)
    plan = Plan(
        BUCKET, PREFIX, shards, form.shards * form.tensors, form.bytes, "cpu", folder / "scratch",
        memory_limit=5 << 30, connections=form.download_connections, drop="own files",
    )  # fmt: skip
    python, packages = engine_place.place(engine, is_ours=True).python_for_loading()
    with LoadHost(python, packages, settings.aws_environment(), folder / "load.log") as host:
        loading.measure(host, plan, rounds.tuned, "cold")
        for run in range(form.runs):
            for way in rounds.ways(run):
                answer = loading.measure(host, plan, way, "cold")
                rounds.note(way, answer["seconds"])
                console.line(f"  {run + 1}: {way.name}: {answer['seconds']:.2f} s")
    return {
        "bytes": plan.tensor_bytes,
        "concurrency": choice.concurrency,
        "link": link.as_json(),
        "standard": rounds.seconds["standard"],
        "tuned": rounds.seconds["tuned"],
        "again": rounds.seconds["again"],
        "sweep": {str(way.concurrency): rounds.seconds[way.name] for way in rounds.sweep},
    }


def busy_share(part: Part, since: float) -> float:
    """Of one core, that a single-threaded part has used: near 1 it, and not the link, is what was measured."""
    return cpu_seconds(part.pid) / max(time.monotonic() - since, 1e-6)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(rclone: str, engine: str, form_text: str) -> None:
    interrupt_on_termination()
    wanted = json.loads(form_text)
    form = Form(**{**wanted, "sweep": tuple(wanted["sweep"])})
    shape(form)
    before = raw_rate()
    parts: list[Part] = []
    canaries = Canaries()
    with tempfile.TemporaryDirectory(prefix="crosslogic-shaped-") as name:
        folder = Path(name)
        write_model(folder / "s3" / BUCKET / PREFIX, form)
        try:
            store, address = start_store(Path(rclone), folder, canaries)
            parts.append(store)
            link, endpoint = start_link(folder, address, form)
            parts.append(link)
            started = time.monotonic()
            report = measure(folder, Path(engine), endpoint, canaries, form)
            report["link_process_busy"] = busy_share(link, started)
        finally:
            for part in reversed(parts):
                part.stop(5)
    print(json.dumps({**report, "link_bytes_per_s": [before, raw_rate()]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
