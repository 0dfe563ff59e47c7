"""The page for people, in a browser: what it shows, in both schemes, wide and narrow."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from crosslogic import http, install
from crosslogic.console import Console
from crosslogic.control_plane import ControlPlane
from crosslogic.stack import Stack
from mission import complete_flight

BROWSER = "chromium-headless-shell"


@pytest.fixture(scope="module")
def browser(console: Console) -> str:
    """Where it cannot be installed the tests fail and say so: nobody has looked at the page then."""
    if shutil.which(BROWSER) is None:
        install.ensure_system_packages([BROWSER], console)
    return BROWSER


@pytest.fixture(scope="module")
def plane(stack: Stack) -> ControlPlane:
    """With a node that has had a whole life, one that is loading, and one that was never heard."""
    complete_flight(stack, stack.simulated_engine(10.0))
    control_plane = stack.control_plane
    node, token = control_plane.create_node()
    url = f"{control_plane.url}/api/v1/nodes/{node}/heartbeat"
    beat = {
        "node_id": node, "state": "loading", "phase": "weights_stream", "progress": {"fraction": 0.42},
        "phases": [
            {"name": "engine_import", "start_s": 10, "end_s": 19.5, "end_source": "log", "detail": None},
            {"name": "weights_stream", "start_s": 19.5, "end_s": 31, "end_source": None, "detail": "4 of 8 files"},
        ],
    }  # fmt: skip
    assert http.call("PUT", url, beat, token=token).status == 200
    control_plane.create_node()
    return control_plane


def browse(browser: str, plane: ControlPlane, path: str, *options: str) -> str:
    url = plane.url.replace("://", f"://operator:{plane.admin_token}@") + path
    # As root there is no sandbox, and in a container /dev/shm may be small.
    command = [browser, "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", *options, url]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def test_page_shows_nodes_with_state_phase_progress_and_last_start(browser: str, plane: ControlPlane) -> None:
    page = browse(browser, plane, "/", "--dump-dom")
    assert len(re.findall(r'<th scope="row"><a href="/nodes/', page)) == 3
    assert '<span class="badge ending">stopped</span>' in page
    assert '<span class="badge moving">loading</span>' in page
    assert '<progress max="100" value="42"' in page
    assert page.count('<svg class="strip"') == 2
    assert "not heard yet" in page
    assert plane.admin_token not in page


def test_page_of_a_node_has_its_start_as_a_waterfall(browser: str, plane: ControlPlane) -> None:
    node = plane.ask("GET", "/api/v1/nodes")["nodes"][1]["id"]
    page = browse(browser, plane, f"/nodes/{node}", "--dump-dom")
    rows = re.findall(r'<th scope="row">(\w+)</th><td class="number">([\d.]+ s)', page)
    assert rows == [("engine_import", "0.0 s"), ("weights_stream", "9.5 s")]
    assert "4 of 8 files" in page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "size"), [("wide", (1280, 900)), ("narrow", (400, 900))])
@pytest.mark.parametrize("path", ["list", "node"])
def test_page_is_drawn_in_the_reader_s_colours(
    browser: str, plane: ControlPlane, tmp_path: Path, scheme: str, name: str, size: tuple[int, int], path: str
) -> None:
    node = plane.ask("GET", "/api/v1/nodes")["nodes"][0]["id"]
    picture = tmp_path / f"{path}-{scheme}-{name}.png"
    browse(
        browser,
        plane,
        "/" if path == "list" else f"/nodes/{node}",
        f"--screenshot={picture}",
        f"--window-size={size[0]},{size[1]}",
        f"--blink-settings=preferredColorScheme={'1' if scheme == 'light' else '0'}",
    )
    width, height, colours = pixels(picture)
    assert (width, height) == size
    grounds = {"light": (255, 255, 255), "dark": (13, 17, 23)}
    assert colours[grounds[scheme]] > width * height / 2, "the stylesheet's ground is not what is mostly seen"
    assert len(colours) > 50, "an empty page"
    bars = {"light": (9, 105, 218), "dark": (88, 166, 255)}
    if name == "wide":
        assert colours.get(bars[scheme], 0) > 50, "no bar of the network is drawn"


def pixels(path: Path) -> tuple[int, int, dict[tuple[int, int, int], int]]:
    """Size, and how often each colour is there. Reads what Chromium writes: 8 bits a channel, not interlaced."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    assert (depth, interlace) == (8, 0)
    channels = {2: 3, 6: 4}[kind]
    compressed, at = b"", 8
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        if name == b"IDAT":
            compressed += data[at + 8 : at + 8 + length]
        at += length + 12
    return width, height, counted(zlib.decompress(compressed), width, height, channels)


def counted(raw: bytes, width: int, height: int, channels: int) -> dict[tuple[int, int, int], int]:
    """Undoes PNG's filters (RFC 2083 §6) row by row."""
    colours: dict[tuple[int, int, int], int] = {}
    stride = width * channels
    above = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        line = bytearray(raw[start + 1 : start + 1 + stride])
        unfilter(raw[start], line, above, channels)
        for x in range(0, stride, channels):
            colour = (line[x], line[x + 1], line[x + 2])
            colours[colour] = colours.get(colour, 0) + 1
        above = line
    return colours


def unfilter(kind: int, line: bytearray, above: bytearray, channels: int) -> None:
    for x in range(len(line)):
        left = line[x - channels] if x >= channels else 0
        corner = above[x - channels] if x >= channels else 0
        match kind:
            case 1:
                line[x] = (line[x] + left) & 255
            case 2:
                line[x] = (line[x] + above[x]) & 255
            case 3:
                line[x] = (line[x] + (left + above[x]) // 2) & 255
            case 4:
                line[x] = (line[x] + paeth(left, above[x], corner)) & 255


def paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda value: abs(guess - value))
