"""A bucket, models to put into it, and the scripts with their settings."""

from __future__ import annotations

import json
import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosslogic.canaries import Canaries
from crosslogic.model import Tensor, safetensors
from crosslogic.paths import SCRIPTS
from crosslogic.s3 import S3Server

MODEL = "acme/small"
INDEX = "model.safetensors.index.json"
ENDS_WITHIN = 60


class Server(S3Server):
    """With the folder in which it keeps its objects, as files."""

    def __init__(self, rclone: Path, folder: Path, canaries: Canaries) -> None:
        self.root = folder / "s3"
        self.canaries = canaries
        super().__init__(rclone, self.root, folder / "s3.log", canaries)

    def client(self, *arguments: str | Path) -> None:
        """rclone as a client. Changes go through the server: it caches its folders for a second."""
        environment = {
            "PATH": os.environ["PATH"],
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_STORE_TYPE": "s3",
            "RCLONE_CONFIG_STORE_PROVIDER": "Rclone",
            "RCLONE_CONFIG_STORE_ENDPOINT": self.endpoint,
            "RCLONE_CONFIG_STORE_ACCESS_KEY_ID": self.access_key,
            "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": self.secret_key,
        }
        subprocess.run([self.rclone, *arguments], env=environment, check=True, timeout=60)


class HashingServer(Server):
    """Gives ETags, as R2 does: MD5, though of the whole object also where it was sent in parts."""

    def __init__(self, rclone: Path, folder: Path, canaries: Canaries) -> None:
        shim = folder / "rclone-with-etags"
        shim.write_text(f'#!/bin/sh\n[ "$2" != s3 ] || set -- "$@" --etag-hash MD5\nexec {rclone} "$@"\n')
        shim.chmod(0o755)
        super().__init__(shim, folder, canaries)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def findings(self, part: str = "checkpoint") -> set[str]:
        return {finding["code"] for finding in self.json[part]["findings"]}


class Workbench:
    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.bucket = f"bucket-{random.randrange(1 << 32):08x}"
        self.canaries = Canaries(dict(server.canaries.values))
        self.ran: list[Ran] = []
        self.processes: list[subprocess.Popen[str]] = []
        server.client("mkdir", f"store:{self.bucket}")

    @property
    def stored(self) -> Path:
        return self.server.root / self.bucket / MODEL

    def store_model(self, source: Path, name: str = MODEL) -> None:
        """Into the bucket, without the script under test."""
        self.server.client("copy", source, f"store:{self.bucket}/{name}")

    def environment(self, **changes: str | None) -> dict[str, str]:
        cache = {name: os.environ[name] for name in ("CROSSLOGIC_CACHE",) if name in os.environ}
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "R2_ENDPOINT": self.server.endpoint,
            "R2_BUCKET": self.bucket,
            "R2_ACCESS_KEY": self.server.access_key,
            "R2_SECRET_KEY": self.server.secret_key,
            "HF_HUB_OFFLINE": "1",
            **cache,
            **changes,
        }
        return {name: value for name, value in variables.items() if value is not None}

    def start(self, script: str, *arguments: str | Path, **changes: str | None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            # A shell that runs the tests in its background has Ctrl-C ignored, and children inherit that.
            ["env", "--default-signal=INT", SCRIPTS / script, *arguments],
            env=self.environment(**changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )
        self.processes.append(process)
        return process

    def run(self, script: str, *arguments: str | Path, **changes: str | None) -> Ran:
        process = self.start(script, *arguments, **changes)
        out, err = process.communicate(timeout=ENDS_WITHIN)
        self.ran.append(Ran(process.returncode, out, err))
        return self.ran[-1]

    def upload(self, *arguments: str | Path, **changes: str | None) -> Ran:
        return self.run("upload-model-to-r2.py", MODEL, "--json", *arguments, **changes)

    def leaks(self) -> list[str]:
        """Secrets in anything a script printed, or left behind anywhere but in the settings file."""
        for weights in self.folder.rglob("*.safetensors"):
            weights.unlink()
        hits = [hit for ran in self.ran for hit in self.canaries.found_in("output", ran.out + ran.err)]
        return hits + self.canaries.found_in_files(self.folder, set(self.folder.rglob("r2.env")))

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def write_model(folder: Path, shards: int = 3, shard_bytes: int = 100_000, seed: int = 0) -> Path:
    """As large as the test needs it; complete, though nothing that an engine could run."""
    folder.mkdir(parents=True)
    generator = random.Random(seed)
    weight_map = {}
    for number in range(1, shards + 1):
        name = shard_name(number, shards)
        tensors = [Tensor(f"layers.{number}.{part}", shard_bytes // 8, 2) for part in "ab"]
        weight_map |= {tensor.name: name for tensor in tensors}
        (folder / name).write_bytes(safetensors(tensors, [generator.randbytes(tensor.size) for tensor in tensors]))
    (folder / INDEX).write_text(
        json.dumps({"metadata": {"total_size": shards * shard_bytes}, "weight_map": weight_map})
    )
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text('{"of": "a test"}')
    return folder


def shard_name(number: int, of: int = 3) -> str:
    return f"model-{number:05}-of-{of:05}.safetensors"
