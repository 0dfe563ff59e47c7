"""Every kind of wrong answer of a control plane is bounded, classified, said once and outlived."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from crosslogic import http, procfs
from crosslogic.agent import Agent
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import RETRIES_WITHIN, STARTS_WITHIN, StartAgent, assignment, wait_for_state

GIB = 1 << 30
MAXIMUM_RESIDENT = 96 << 20
"""With the pages of the program itself; a gigabyte would show."""

Writer = Callable[[BinaryIO], None]


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> Writer:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return lambda out: out.write(head.encode() + body) and None


def flood(out: BinaryIO, framing: str, piece: Callable[[bytes], bytes]) -> None:
    out.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{framing}\r\n\r\n".encode())
    chunk = piece(b" " * (1 << 20))
    for _ in range(GIB >> 20):
        out.write(chunk)


def in_chunks(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


BAD: dict[str, tuple[Writer, str]] = {
    "broken JSON": (answer(b'{"generation": 1, "model": '), "not valid JSON"),
    "empty": (answer(b""), "empty"),
    "a number that is none": (answer(b'{"generation": NaN}'), "not valid JSON"),
    "a hundred thousand levels": (answer(b"[" * 100_000), "not valid JSON"),
    "a member twice": (answer(b'{"generation": 1, "generation": 2}'), "twice"),
    "a gigabyte with its length": (lambda out: flood(out, f"Content-Length: {GIB}", bytes), "tooLarge"),
    "a gigabyte without": (lambda out: flood(out, "Transfer-Encoding: chunked", in_chunks), "tooLarge"),
    "headers without an end": (answer(b"{}", headers="X-Padding: a\r\n" * 20_000), "tooLarge"),
    "teapot": (answer(b"{}", status="418 I'm a teapot"), "418"),
    "no HTTP": (lambda out: out.write(b"SSH-2.0-OpenSSH_9.6\r\n") and None, "other"),
    "hung up": (lambda _out: None, "truncated"),
}


def complaint(agent: Agent) -> str | None:
    beat = http.try_get(agent.heartbeat_url + "/v1/heartbeat")
    if beat is None or beat.status != 200:
        return None
    plane = beat.json["control_plane"]
    return None if plane["reachable"] else plane["error"]


@pytest.mark.parametrize("kind", BAD)
def test_bad_answer_is_classified_said_once_and_outlived(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, kind: str
) -> None:
    plane.raw, word = BAD[kind]
    plane.be("raw")
    agent = start_agent(plane.url)
    assert word in wait_for("a complaint", lambda: complaint(agent), STARTS_WITHIN, agent.running.why_gone)
    asked = len(plane.asked)
    wait_for("three more tries", lambda: len(plane.asked) >= asked + 3, RETRIES_WITHIN)
    assert procfs.memory(agent.running.pid).resident < MAXIMUM_RESIDENT
    log = agent.running.text().splitlines()
    assert len([line for line in log if "warning control plane: " in line]) == 1
    assert agent.notify
    assert len({line for line in agent.notify.status_lines if "control plane: " in line}) == 1
    plane.be("well")
    plane.assign(**assignment(stack))
    plane.wait_for_event("assignment_accepted", RETRIES_WITHIN)


def test_answer_that_is_no_assignment_is_rejected_by_name(plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    plane.assign(generation=1, model="acme/tiny", end={"at": "soon"})
    agent = start_agent(plane.url)
    rejected = plane.wait_for_event("assignment_rejected", STARTS_WITHIN)
    assert "model_uri" in json.dumps(rejected["data"]["faults"])
    assert agent.heartbeat()["state"] == "waiting"


def test_redirect_is_not_followed(plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    """It would carry the node's token to whoever it names."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        place = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        plane.raw = answer(b"", status="307 Temporary Redirect", headers=f"Location: {place}\r\n")
        plane.be("raw")
        agent = start_agent(plane.url)
        assert "307" in wait_for("a complaint", lambda: complaint(agent), STARTS_WITHIN, agent.running.why_gone)
        asked = len(plane.asked)
        wait_for("three more tries", lambda: len(plane.asked) >= asked + 3, RETRIES_WITHIN)
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


class TLSEnd:
    """Accepts, and does what a test wants with each connection."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.serve = serve
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.getsockname()[1]}"

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            with client:
                try:
                    self.serve(client)
                except OSError:
                    continue


@pytest.fixture
def stranger(tmp_path: Path) -> ssl.SSLContext:
    """A certificate for the right address that nobody signed."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stranger",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture(params=["wrong certificate", "hung up in the handshake", "no TLS"])
def bad_tls(request: pytest.FixtureRequest, stranger: ssl.SSLContext) -> Iterator[TLSEnd]:
    def serve(client: socket.socket) -> None:
        if request.param == "wrong certificate":
            with stranger.wrap_socket(client, server_side=True) as tls:
                tls.recv(1)
        elif request.param == "no TLS":
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        else:
            client.recv(64)
            client.sendall(b"\x16\x03\x03\x40\x00\x02")

    end = TLSEnd(serve)
    yield end
    end.server.close()


def test_bad_tls_is_classified_and_nothing_is_shown(bad_tls: TLSEnd, start_agent: StartAgent) -> None:
    agent = start_agent(bad_tls.url)
    words = wait_for("a complaint", lambda: complaint(agent), STARTS_WITHIN, agent.running.why_gone)
    assert words.startswith("tls: ")
    wait_for("several tries", lambda: bad_tls.connections >= 4, RETRIES_WITHIN)
    wait_for_state(agent, "waiting", 5)
    assert agent.running.text().count("warning control plane: ") == 1
