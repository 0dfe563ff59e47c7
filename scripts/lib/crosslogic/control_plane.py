"""The reference control plane on loopback, and its API as a caller sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crosslogic import http
from crosslogic.canaries import Canaries
from crosslogic.model import MODEL
from crosslogic.part import Part
from crosslogic.s3 import BUCKET

# The request of the original documents; only the model is another one.
NODE_REQUEST: dict[str, Any] = {
    "provider": "aws",
    "region": "us-east-1",
    "gpu": "A10G",
    "gpu_count": 1,
    "model": MODEL,
    "use_spot": True,
    "streamer_concurrency": 32,
    "streamer_memory_limit": 5368709120,
    "gpu_memory_utilization": 0.95,
}


class RefusedError(Exception):
    """The control plane answered with something else than expected; its problem document says why."""


class ControlPlane:
    def __init__(self, binary: Path, folder: Path, log: Path, r2: dict[str, str], canaries: Canaries) -> None:
        self.admin_token = canaries.new("admin token")
        self.env_file = folder / "control-plane.env"
        data = folder / "control-plane"
        write_env_file(self.env_file, {**r2, "R2_BUCKET": BUCKET, "CROSSLOGIC_ADMIN_TOKEN": self.admin_token})
        command = [
            binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--env-file", self.env_file,
        ]  # fmt: skip
        self.part = Part("control plane", command, log, {"PATH": "/usr/bin:/bin"})
        self.url = self.part.wait_for_line(r"listening on (http://\S+)", 15)[1]

    def create_node(self, **changes: Any) -> tuple[str, str]:
        """Id and token of a new node."""
        answer = self.ask("POST", "/api/v1/nodes", {**NODE_REQUEST, **changes}, expect=201)
        return answer["id"], answer["token"]

    def assign(self, node: str, **changes: Any) -> None:
        self.ask("PUT", f"/api/v1/nodes/{node}", {**NODE_REQUEST, **changes}, expect=200)

    def node(self, node: str) -> dict[str, Any]:
        return self.ask("GET", f"/api/v1/nodes/{node}", expect=200)

    def announce_end(self, node: str, at: str, kind: str, reason: str) -> None:
        self.ask("PUT", f"/api/v1/nodes/{node}/end", {"at": at, "kind": kind, "reason": reason}, expect=200)

    def take_back_end(self, node: str) -> None:
        self.ask("DELETE", f"/api/v1/nodes/{node}/end", expect=204)

    def revoke(self, node: str) -> None:
        self.ask("DELETE", f"/api/v1/nodes/{node}", expect=204)

    def events(self, node: str) -> list[dict[str, Any]]:
        """All of them, in order of sequence."""
        found: list[dict[str, Any]] = []
        after = "0"
        while True:
            page = self.ask("GET", f"/api/v1/nodes/{node}/events?after={after}&limit=500", expect=200)["events"]
            if not page:
                return found
            found += page
            after = page[-1]["sequence"]

    def ask(self, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
        answer = http.call(method, self.url + path, body, token=self.admin_token)
        if answer.status != expect:
            raise RefusedError(f"{method} {path}: {answer.status} instead of {expect}: {answer.text[:500]}")
        return answer.json if answer.body else None

    def stop(self) -> int:
        return self.part.stop(10)


def write_env_file(path: Path, variables: dict[str, str]) -> None:
    """0600 from the first byte on."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
