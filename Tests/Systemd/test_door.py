"""What the door says, line by line, of processes that are about to go."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from crosslogic.paths import ROOT

ENGINECTL = ROOT / "systemd" / "libexec" / "enginectl"


def test_process_without_a_command_line_ends_no_answer_early(tmp_path: Path) -> None:
    systemctl = tmp_path / "systemctl"
    # Where it looks is below /sys/fs/cgroup.
    systemctl.write_text(f'#!/bin/sh\ncase "$*" in *ControlGroup*--value) echo /../../..{tmp_path} ;; esac\n')
    systemctl.chmod(0o755)
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        # Nobody has asked how it ended: it is a zombie, and those have none.
        (tmp_path / "cgroup.procs").write_text(f"{child.pid}\n{os.getpid()}\n")
        ran = subprocess.run(
            [ENGINECTL],
            input="processes\n",
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
    answer, end = ran.stdout.split("\n\n")
    lines = answer.split("\n")
    assert (len(lines), end) == (5, "")
    assert [line.split()[0] for line in lines[1::2]] == [str(child.pid), str(os.getpid())]
    assert lines[2] == " "
