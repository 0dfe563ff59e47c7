"""Asking the agent's commands `preflight` and `plan`, and assignments that they must refuse."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosslogic.engine import Engine
from crosslogic.model import MODEL
from crosslogic.ports import free_port
from crosslogic.s3 import BUCKET, S3Server


@dataclass
class Answer:
    code: int
    output: str
    complaint: str

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.output)

    def finding(self, check: str) -> dict[str, Any]:
        report = self.document.get("preflight", self.document)
        return next(finding for finding in report["findings"] if finding["check"] == check)

    @property
    def failure(self) -> str | None:
        """The class of the first finding that is fatal."""
        fatal = [finding["class"] for finding in self.document["findings"] if finding["level"] == "fatal"]
        return fatal[0] if fatal else None


def ask(
    agent: Path, command: str, document: Any, folder: Path, engine: Engine, *options: str, **settings: str
) -> Answer:
    """With the assignment in a file below `folder`."""
    file = folder / "assignment.json"
    file.write_text(json.dumps(document))
    done = subprocess.run(
        [agent, command, "--assignment", file, *options],
        env={
            "PATH": "/usr/bin:/bin",
            "CROSSLOGIC_ENGINE": str(engine.executable),
            "CROSSLOGIC_ENGINE_PORT": str(free_port()),
            "CROSSLOGIC_CACHE_DIR": str(folder),
            **settings,
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def assignment(store: S3Server, endpoint: str | None = None, model: str = MODEL) -> dict[str, Any]:
    return {
        "generation": 1,
        "model": model,
        "model_uri": f"s3://{BUCKET}/{model}",
        "r2": {
            "endpoint": endpoint or store.endpoint,
            "bucket": BUCKET,
            "access_key_id": store.access_key,
            "secret_access_key": store.secret_key,
        },
    }


def wrong_key(wanted: dict[str, Any]) -> None:
    wanted["r2"]["access_key_id"] = "nobody-knows-this-key"


def wrong_secret(wanted: dict[str, Any]) -> None:
    wanted["r2"]["secret_access_key"] = "not-the-secret-of-this-key"


def wrong_bucket(wanted: dict[str, Any]) -> None:
    wanted["model_uri"] = wanted["model_uri"].replace(BUCKET, "no-such-bucket")


def wrong_prefix(wanted: dict[str, Any]) -> None:
    wanted["model_uri"] += "-that-is-not-there"


def small_memory_limit(wanted: dict[str, Any]) -> None:
    wanted["streamer_memory_limit"] = 1000


WRONG_ASSIGNMENTS: dict[Callable[[dict[str, Any]], None], str] = {
    wrong_key: "credentials_rejected",
    wrong_secret: "credentials_rejected",
    wrong_bucket: "bucket_missing",
    wrong_prefix: "model_missing",
    small_memory_limit: "memory_limit_too_small",
}
"""Class of the failure."""
