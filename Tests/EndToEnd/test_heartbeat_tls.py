"""The heartbeat over TLS, asked by a client that is not libcurl: a real agent, certificates of a real authority."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from crosslogic import http
from crosslogic.agent import Agent
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import StartAgent

TOKEN = "token-of-the-heartbeat"
NAME = "node-1.example.com"
GET = f"GET /v1/heartbeat HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
STALLED = 2_000
ANSWERED_WITHIN = 8.0


class Authority:
    """Signs certificates for nodes, with one of its own between it and them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.root = self.folder / "root.pem"
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self.openssl("req", "-x509", *new_key, "-days", "2", "-subj", f"/CN={name}", "-keyout", "root.key",
                     "-out", "root.pem")  # fmt: skip
        self.openssl("req", *new_key, "-subj", f"/CN={name} issuing", "-keyout", "issuing.key", "-out", "issuing.csr")
        (self.folder / "issuing.ext").write_text("basicConstraints=critical,CA:TRUE\n")
        self.sign("issuing", "root")

    def issue(self, certificate: Path, key: Path) -> None:
        """With the chain behind it, as a server has to show it."""
        (self.folder / "node.ext").write_text(f"subjectAltName=DNS:{NAME},IP:127.0.0.1\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}", "-keyout", "node.key",
                     "-out", "node.csr")  # fmt: skip
        self.sign("node", "issuing")
        key.write_text((self.folder / "node.key").read_text())
        chain = [(self.folder / name).read_text() for name in ("node.pem", "issuing.pem")]
        certificate.write_text("".join(chain))

    def sign(self, name: str, issuer: str) -> None:
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key",
                     "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")  # fmt: skip

    def openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


class Node:
    def __init__(self, agent: Agent, certificate: Path, key: Path) -> None:
        self.agent = agent
        self.certificate = certificate
        self.key = key

    @property
    def port(self) -> int:
        return int(self.agent.heartbeat_url.rpartition(":")[2])

    def tcp(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    @contextmanager
    def tls(self, authority: Authority, **limits: ssl.TLSVersion) -> Iterator[ssl.SSLSocket]:
        context = ssl.create_default_context(cafile=str(authority.root))
        for name, version in limits.items():
            setattr(context, name, version)
        with self.tcp() as plain, context.wrap_socket(plain, server_hostname=NAME) as client:
            yield client


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "fleet")


@pytest.fixture
def node(plane: ScriptedControlPlane, start_agent: StartAgent, authority: Authority, tmp_path: Path) -> Node:
    certificate, key = tmp_path / "heartbeat.pem", tmp_path / "heartbeat.key"
    authority.issue(certificate, key)
    agent = start_agent(
        plane.url, CROSSLOGIC_HEARTBEAT_LISTEN="0.0.0.0:0", CROSSLOGIC_HEARTBEAT_TOKEN=TOKEN,
        CROSSLOGIC_HEARTBEAT_TLS_CERTIFICATE=str(certificate), CROSSLOGIC_HEARTBEAT_TLS_KEY=str(key),
    )  # fmt: skip
    agent.running.wait_for_line(r"heartbeat on https://0.0.0.0:\d+", 20)
    return Node(agent, certificate, key)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_poller_is_answered_in_both_versions(node: Node, authority: Authority, version: ssl.TLSVersion) -> None:
    with node.tls(authority, minimum_version=version, maximum_version=version) as client:
        for _ in range(3):
            client.sendall(GET)
            assert read_answers(client, 1)[0].startswith(b"HTTP/1.1 200 ")
        cipher = client.cipher()
        assert cipher
        assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]


def test_without_the_token_there_is_no_answer(node: Node, authority: Authority) -> None:
    with node.tls(authority) as client:
        client.sendall(GET.replace(TOKEN.encode(), b"another"))
        assert read_answers(client, 1)[0].startswith(b"HTTP/1.1 401 ")


def test_poller_with_another_authority_turns_away(node: Node, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    with pytest.raises(ssl.SSLCertVerificationError), node.tls(stranger):
        pass


def test_request_in_the_clear_is_told_what_is_wrong(node: Node) -> None:
    answer = http.call("GET", f"http://127.0.0.1:{node.port}/v1/heartbeat", token=TOKEN)
    assert answer.status == 400
    assert "https" in answer.json["detail"]


def test_requests_sent_ahead_are_answered_in_records_however_they_are_cut(node: Node, authority: Authority) -> None:
    with node.tls(authority) as client:
        client.sendall(GET * 300)
        assert len(read_answers(client, 300)) == 300
        for byte in GET:
            client.send(bytes([byte]))
        assert len(read_answers(client, 1)) == 1


def test_renewed_certificate_holds_without_a_restart(node: Node, authority: Authority, tmp_path: Path) -> None:
    pid = node.agent.running.pid
    renewed = Authority(tmp_path, "renewed")
    with node.tls(authority) as old:
        renewed.issue(node.certificate, node.key)
        wait_for("the new certificate", lambda: is_trusted(node, renewed), 20, node.agent.running.why_gone)
        assert not is_trusted(node, authority)
        # A connection that is there goes on.
        old.sendall(GET)
        assert len(read_answers(old, 1)) == 1
    assert node.agent.running.pid == pid
    assert not node.agent.running.has_exited


def test_stalled_handshakes_starve_nobody(node: Node, authority: Authority) -> None:
    with ExitStack() as crowd:
        for number in range(STALLED):
            client = crowd.enter_context(closing(node.tcp()))
            # Half of them have begun.
            if number % 2:
                client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        began = time.monotonic()
        with node.tls(authority) as client:
            client.sendall(GET)
            assert len(read_answers(client, 1)) == 1
        assert time.monotonic() - began < ANSWERED_WITHIN
        assert len(list(Path(f"/proc/{node.agent.running.pid}/fd").iterdir())) < 256 + 100


def test_status_asks_over_tls(node: Node, authority: Authority) -> None:
    command: list[str | Path] = [node.agent.binary, "status", "--heartbeat", f"https://127.0.0.1:{node.port}"]
    environment = {"CROSSLOGIC_HEARTBEAT_TOKEN": TOKEN, "PATH": "/usr/bin"}

    def run(*options: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)

    trusting, not_trusting = run("--ca-file", authority.root), run()
    # It waits for an assignment.
    assert (trusting.returncode, trusting.stderr) == (1, "")
    assert "state" in trusting.stdout
    assert not_trusting.returncode == 69
    assert "certificate" in not_trusting.stderr


def is_trusted(node: Node, authority: Authority) -> bool:
    try:
        with node.tls(authority):
            return True
    except ssl.SSLCertVerificationError:
        return False


def read_answers(client: ssl.SSLSocket, count: int) -> list[bytes]:
    """Fewer where the connection ends before."""
    answers: list[bytes] = []
    received = b""
    while len(answers) < count:
        head, found, rest = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) if found else 0
        if found and len(rest) >= length:
            answers.append(head + found + rest[:length])
            received = rest[length:]
        elif chunk := client.recv(1 << 16):
            received += chunk
        else:
            break
    return answers
