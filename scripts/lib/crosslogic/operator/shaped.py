"""Inside the network namespace of `scripts/bench loading`: link, store, model, and the loads in turns.

`python -m crosslogic.operator.shaped RCLONE ENGINE RUNS`; one JSON object on standard output.
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
from crosslogic.operator.store import Store
from crosslogic.part import Part
from crosslogic.paths import SCRIPTS
from crosslogic.stack import interrupt_on_termination

BUCKET, PREFIX = "models", "acme/shaped"
# Slow, so that the two cores of a small machine are not the link.
LINK_BYTES_PER_S = 40_000_000
CONNECTION_BYTES_PER_S = LINK_BYTES_PER_S / 80
RTT_S = 0.030
SHARDS, TENSORS, TENSOR_BYTES = 6, 10, 10_000_000
SWEEP = [1, 2, 4, 8, 16, 32]


def shape() -> None:
    """Loopback is ours alone here; the store is behind a Unix socket, so that nothing passes it twice."""
    subprocess.run(["ip", "link", "set", "lo", "up", "mtu", "1500"], check=True)
    rate = f"{LINK_BYTES_PER_S * 8}bit"
    subprocess.run(
        ["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", rate, "burst", "256kb", "latency", "100ms"],
        check=True,
    )


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


def write_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    generator = random.Random(0)
    for shard in range(SHARDS):
        tensors = [Tensor(f"layers.{shard}.{number}", TENSOR_BYTES // 2, None) for number in range(TENSORS)]
        (folder / f"model-{shard}.safetensors").write_bytes(
            safetensors(tensors, [generator.randbytes(TENSOR_BYTES) for _ in tensors])
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


def start_link(folder: Path, address: Path) -> tuple[Part, str]:
    part = Part(
        "link",
        [sys.executable, "-m", "crosslogic.bench.link", address, str(RTT_S), str(CONNECTION_BYTES_PER_S)],
        folder / "link.log",
        {"PATH": os.environ["PATH"], "PYTHONPATH": str(SCRIPTS / "lib")},
    )
    return part, f"http://127.0.0.1:{part.wait_for_line('listening on ([0-9]+)', 15)[1]}"


def measure(folder: Path, engine: Path, endpoint: str, canaries: Canaries, runs: int) -> dict[str, Any]:
    console = Console(sys.stderr)
    settings = StoreSettings(endpoint, BUCKET, canaries.values["access key"], canaries.values["secret key"])
    store = Store(settings, connections=64)
    shards = {entry.key.rpartition("/")[2]: entry.size for entry in store.list(PREFIX + "/")}
    key = f"{PREFIX}/{next(iter(shards))}"
    link = tuning.probe(lambda offset, length: store.read(key, offset, length), next(iter(shards.values())))
    choice = tuning.choose(link)
    console.line(choice.why)
    tuned = Way("tuned", "streamer", choice.concurrency)
    ways = [Way("standard", "standard"), tuned, *(Way(f"c={number}", "streamer", number) for number in SWEEP)]
    plan = Plan(
        BUCKET, PREFIX, shards, SHARDS * TENSORS, SHARDS * TENSORS * TENSOR_BYTES, "cpu", folder / "scratch",
        memory_limit=5 << 30, connections=10, drop="own files",
    )  # fmt: skip
    python, packages = engine_place.place(engine, is_ours=True).python_for_loading()
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    with LoadHost(python, packages, settings.aws_environment(), folder / "load.log") as host:
        for way, state in plan.order(ways, runs):
            if state == "cold":
                answer = loading.measure(host, plan, way, state)
                seconds[way.name].append(answer["seconds"])
                console.line(f"  {way.name}: {answer['seconds']:.2f} s")
    return {
        "bytes": plan.tensor_bytes,
        "concurrency": choice.concurrency,
        "link": link.as_json(),
        "standard": seconds["standard"],
        "tuned": seconds["tuned"],
        "sweep": {str(number): seconds[f"c={number}"] for number in SWEEP},
    }


def main(rclone: str, engine: str, runs: str) -> None:
    interrupt_on_termination()
    shape()
    ceiling = raw_rate()
    parts: list[Part] = []
    canaries = Canaries()
    with tempfile.TemporaryDirectory(prefix="crosslogic-shaped-") as name:
        folder = Path(name)
        write_model(folder / "s3" / BUCKET / PREFIX)
        try:
            store, address = start_store(Path(rclone), folder, canaries)
            parts.append(store)
            link, endpoint = start_link(folder, address)
            parts.append(link)
            report = measure(folder, Path(engine), endpoint, canaries, int(runs))
        finally:
            for part in reversed(parts):
                part.stop(5)
    print(json.dumps({**report, "link_bytes_per_s": ceiling}))


if __name__ == "__main__":
    main(*sys.argv[1:])
