"""A model that is downloaded: by the agent's user, below a folder of its own, for an engine of another user."""

from __future__ import annotations

from crosslogic.model import ensure_model
from crosslogic.stack import Stack
from node import ENGINE, Node, assignment
from scripted_control_plane import ScriptedControlPlane

MODELS = "/var/cache/crosslogic-models"


def test_engine_reads_what_the_agent_has_downloaded_and_cannot_change_it(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**{**assignment(stack), "use_runai_streamer": False})
    beat = node.start_and_serve()
    assert beat["download"]["cache"] == "cold"
    (folder,) = [path for path in node.machine.path(MODELS).iterdir() if path.is_dir()]
    inside = f"{MODELS}/{folder.name}"
    # What the engine's process itself sees, in the view that its unit gives it.
    seen = f"/proc/{node.main_pid(ENGINE)}/root{inside}"
    for path in ensure_model().iterdir():
        as_engine = ["runuser", "-u", "vllm", "--"]
        node.machine.run(*as_engine, "test", "-r", f"{inside}/{path.name}")
        assert node.machine.run(*as_engine, "test", "-w", f"{inside}/{path.name}", check=False).code != 0
        assert node.machine.run("stat", "--format", "%s", f"{seen}/{path.name}").out.strip() == str(path.stat().st_size)
