"""The OpenAPI description: documents held against it, and a running server tried with what follows from it.

Needs the tools' Python, for YAML, JSON Schema and schemathesis.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from crosslogic.paths import ROOT

OPENAPI = ROOT / "Sources" / "ControlPlane" / "openapi.yaml"

CHECKS: dict[str, dict[str, Any]] = {
    # A revoked node stays to be looked at.
    "use_after_free": {"enabled": False},
    # Its own list lacks 413, with which more events than a batch may have are refused.
    "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 405, 406, 409, 413, 415, 422]},
}


class Contract:
    def __init__(self) -> None:
        self.document: dict[str, Any] = yaml.safe_load(OPENAPI.read_text())

    def faults(self, schema: str, document: Any) -> list[str]:
        """What of a document is not as described. Fields that the description does not name count: a reader must put up
        with them, but nobody is to send any."""
        return [
            f"{schema} {'/'.join(map(str, error.instance_path))}: {error.message}"
            for error in self._validator(schema).iter_errors(document)
        ]

    @functools.cache  # noqa: B019 - a contract lives as long as the tests do
    def _validator(self, schema: str) -> Any:
        components = {"schemas": {k: closed(v) for k, v in self.document["components"]["schemas"].items()}}
        return jsonschema_rs.Draft202012Validator(
            {"$ref": f"#/components/schemas/{schema}", "components": components}, validate_formats=True
        )

    def for_node(self, node: str) -> dict[str, Any]:
        """The same as one node has it: its token opens its own paths, and it speaks for itself."""
        document = yaml.safe_load(OPENAPI.read_text())
        schemas = document["components"]["schemas"]
        schemas["NodeID"] = {"const": node}
        schemas["ReceivedEvent"]["properties"]["source"] = {"const": f"/nodes/{node}"}
        return document


def closed(schema: Any) -> Any:
    """No fields but those that are named, wherever the schema does not say otherwise."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        inner.setdefault("additionalProperties", False)
    return inner


@functools.cache
def contract() -> Contract:
    return Contract()


def event_faults(events: list[dict[str, Any]]) -> list[str]:
    return [f"{event.get('type')}: {fault}" for event in events for fault in contract().faults("Event", event)]


def try_server(
    document: dict[str, Any], url: str, tags: list[str], token: str | None, folder: Path, examples: int = 20
) -> None:
    """Asks a server what its description allows, and what it does not. Raises `AssertionError` with what it found.

    `folder` gets the description and schemathesis' settings. The order of questions is the same each time.
    """
    description = folder / "openapi.yaml"
    description.write_text(yaml.safe_dump(document))
    settings = folder / "schemathesis.toml"
    lines = [f"[checks.{name}]\n" + toml(values) for name, values in CHECKS.items()]
    # Rules between fields, and lengths in bytes, are no part of a schema: a body that fits it may still be refused.
    accepted = toml({"expected-statuses": ["2xx", 401, 403, 404, 409, 422]})
    for operation in ("createNode", "replaceAssignment", "announceEnd"):
        lines.append(
            f'[[operations]]\ninclude-operation-id = "{operation}"\n[operations.checks.positive_data_acceptance]\n'
            + accepted
        )
    # 503 is what it has to say while the model does not serve.
    lines.append(
        '[[operations]]\ninclude-operation-id = "getReadiness"\n[operations.checks.not_a_server_error]\n'
        + toml({"enabled": False})
    )
    settings.write_text("\n".join(lines))
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "--no-color", "--config-file", str(settings),
        "run", str(description), "--url", url, "--max-examples", str(examples), "--generation-deterministic",
        # It has parameters of its own and is a page; looked at elsewhere.
        "--exclude-path", "/",
    ]  # fmt: skip
    for tag in tags:
        command += ["--include-tag", tag]
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, timeout=600)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]


def toml(values: dict[str, Any]) -> str:
    words = {True: "true", False: "false"}
    return "".join(
        f"{name} = {words[value] if isinstance(value, bool) else repr(value)}\n" for name, value in values.items()
    )
