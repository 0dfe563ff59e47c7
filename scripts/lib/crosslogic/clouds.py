"""The metadata services of AWS, Google, Azure, Oracle and Alibaba, as far as an agent asks them."""

from __future__ import annotations

import json
import secrets
import time
from email.utils import formatdate
from typing import Any

from crosslogic.metadata import Answer, MetadataDouble, Request, iso, text

NOT_FOUND = (
    b'<?xml version="1.0" encoding="iso-8859-1"?>\n<html xmlns="http://www.w3.org/1999/xhtml">\n <head>\n'
    b"  <title>404 - Not Found</title>\n </head>\n <body>\n  <h1>404 - Not Found</h1>\n </body>\n</html>\n"
)


class AWS(MetadataDouble):
    """IMDSv2. `action` and `time` are announced together; `time` may be a number of seconds ahead at each look."""

    action: str | None = None
    time: str | None = None
    moving_time: float | None = None
    rebalance: str | None = None
    scheduled: list[dict[str, str]] | None = None
    token_life: float = 21600
    requires_token: bool = True
    token_stalls: bool = False

    def __init__(self, **options: Any) -> None:
        self.tokens: dict[str, float] = {}
        super().__init__(**options)

    def announce(self, ahead: float, action: str = "terminate") -> float:
        return self.change(action=action, time=iso(self.now + ahead))

    def answer(self, request: Request) -> Answer:
        if request.path == "/latest/api/token":
            return self.token(request)
        token = request.headers.get("x-aws-ec2-metadata-token")
        if (token is not None or self.requires_token) and self.tokens.get(token or "", 0) <= time.monotonic():
            return Answer(401, b"<html><body>401 - Unauthorized</body></html>")
        return self.keys(request.path.removeprefix("/latest/meta-data/"))

    def token(self, request: Request) -> Answer:
        if request.method != "PUT":
            return Answer(405)
        if self.token_stalls:
            with self.changed:
                self.changed.wait_for(lambda: not self.token_stalls or self.is_closing, timeout=60)
        seconds = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
            return Answer(400)
        life = min(float(seconds), self.token_life)
        token = secrets.token_urlsafe(32)
        self.tokens[token] = time.monotonic() + life
        return Answer(200, token.encode(), {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": str(int(life))})

    def keys(self, key: str) -> Answer:
        values = {
            "events/maintenance/scheduled": json.dumps(self.scheduled or []),
            "placement/availability-zone": "us-east-1a",
            "placement/region": "us-east-1",
            "instance-type": "p5.48xlarge",
        }
        if self.action is not None:
            when = iso(self.now + self.moving_time) if self.moving_time is not None else self.time
            values["spot/instance-action"] = json.dumps({"action": self.action, "time": when})
            values["spot/termination-time"] = when or ""
        if self.rebalance:
            values["events/recommendations/rebalance"] = json.dumps({"noticeTime": self.rebalance})
        return text(values[key]) if key in values else Answer(404, NOT_FOUND, {"Content-Type": "text/html"})


class GCP(MetadataDouble):
    preempted: str = "FALSE"
    maintenance: str = "NONE"

    def answer(self, request: Request) -> Answer:
        if request.headers.get("metadata-flavor") != "Google":
            return Answer(403, b"Missing Metadata-Flavor:Google header.")
        key = request.path.removeprefix("/computeMetadata/v1/instance/")
        if key in {"zone", "machine-type"}:
            words = {"zone": "zones/us-central1-a", "machine-type": "machineTypes/a3-highgpu-8g"}
            return text(f"projects/1/{words[key]}", {"Metadata-Flavor": "Google"})
        if key == "upcoming-maintenance":
            return Answer(503, b'{"error":"no notifications have been received yet, try again later"}')
        name = {"preempted": "preempted", "maintenance-event": "maintenance"}.get(key)
        if name is None:
            return Answer(404)
        if request.query.get("wait_for_change") == "true":
            with self.changed:
                self.changed.wait_for(
                    lambda: self.etag(name) != request.query.get("last_etag") or self.is_closing,
                    timeout=float(request.query.get("timeout_sec", 60)),
                )
        return text(getattr(self, name), {"Metadata-Flavor": "Google", "ETag": self.etag(name)})

    def etag(self, name: str) -> str:
        return getattr(self, name).encode().hex()


class Azure(MetadataDouble):
    incarnation: int = 1
    first_delay: float = 0

    def __init__(self, **options: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.versions = {"2020-07-01"}
        self.started: list[str] = []
        self.was_asked = False
        super().__init__(**options)

    def announce(self, kind: str, ahead: float, **fields: Any) -> float:
        event = {
            "EventId": secrets.token_hex(8),
            "EventType": kind,
            "ResourceType": "VirtualMachine",
            "Resources": ["vm_1"],
            "EventStatus": "Scheduled",
            "NotBefore": formatdate(self.now + ahead, usegmt=True),
            "Description": "",
            "EventSource": "Platform",
            "DurationInSeconds": -1,
            **fields,
        }
        return self.change(events=[*self.events, event], incarnation=self.incarnation + 1)

    def answer(self, request: Request) -> Answer:
        if request.headers.get("metadata") != "true":
            return Answer(400, b"Bad Request")
        if request.path == "/metadata/instance/compute":
            return text(json.dumps({"name": "VM_1", "location": "eastus", "zone": "2", "vmSize": "Standard_NC24ads"}))
        if request.path != "/metadata/scheduledevents" or request.query.get("api-version") not in self.versions:
            return Answer(404)
        if request.method == "POST":
            self.started += [start["EventId"] for start in json.loads(request.body)["StartRequests"]]
            return Answer(200)
        if not self.was_asked:
            self.was_asked = True
            with self.changed:
                self.changed.wait_for(lambda: self.is_closing, timeout=self.first_delay)
        return text(json.dumps({"DocumentIncarnation": self.incarnation, "Events": self.events}))


class Oracle(MetadataDouble):
    """Version 2. Its preemptions are announced elsewhere; the state is what a machine sees of its end."""

    state: str = "Running"

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != "Bearer Oracle":
            return Answer(401)
        values = {
            "state": self.state,
            "availabilityDomain": "EMIr:PHX-AD-1",
            "canonicalRegionName": "us-phoenix-1",
            "shape": "VM.GPU3.1",
        }
        key = request.path.removeprefix("/opc/v2/instance/")
        return text(values[key]) if key in values else Answer(404, NOT_FOUND)


class TerminationTime(MetadataDouble):
    """Alibaba at 100.100.100.200; Tencent's name needs DNS."""

    line: str | None = None

    def answer(self, request: Request) -> Answer:
        if request.path == "/latest/api/token":
            return text("token") if request.method == "PUT" else Answer(405)
        if request.headers.get("x-aliyun-ecs-metadata-token") != "token":
            return Answer(403)
        return text(self.line) if self.line else Answer(404, NOT_FOUND)
