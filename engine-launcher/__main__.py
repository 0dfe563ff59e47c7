"""`python engine-launcher …`: starts vLLM, with what an earlier start has imported already there."""

from __future__ import annotations

import contextlib
import os
import sys


def main(arguments: list[str]) -> int:
    try:
        from crosslogic_launcher import checkpoint  # noqa: PLC0415 - a package that is not whole is no reason to fail

        not_restored = checkpoint.restore(arguments)
        from crosslogic_launcher import command  # noqa: PLC0415 - and a restored start needs none of it
    except Exception as error:
        plain(arguments, f"{type(error).__name__}: {error}")
        raise
    return command.main(arguments, not_restored)


def plain(arguments: list[str], why: str) -> None:
    """`vllm serve` by exec, with nothing but what is in this file. Returns where no start was asked for."""
    if arguments[:1] != ["preload"] or not {"--vllm", "--"} <= set(arguments):
        return
    vllm = arguments[arguments.index("--vllm") + 1]
    line = " ".join(f"crosslogic-launcher: plain, because {why}".split())
    with contextlib.suppress(OSError):
        os.write(1, line.encode("utf-8", "replace")[:4000] + b"\n")
    os.execv(vllm, [vllm, *arguments[arguments.index("--") + 1 :]])


if __name__ == "__main__":
    # Children of vLLM's that are spawned run this file under another name; without a spec they find it by its path.
    __spec__ = None
    sys.exit(main(sys.argv[1:]))
elif __name__ == "__mp_main__":
    with contextlib.suppress(Exception):
        from crosslogic_launcher import recorder

        recorder.resume()
