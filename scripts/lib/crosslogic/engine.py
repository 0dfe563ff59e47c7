"""The engine an agent is given: the real vLLM (CPU build), or the stand-in that replays what a real one printed."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from crosslogic import install
from crosslogic import launchable as launchables
from crosslogic.paths import SIMULATED_VLLM, cache_root

TRANSCRIPTS = SIMULATED_VLLM / "Transcripts"
STREAMER_VERSION = "0.17.0"


@dataclass
class Engine:
    """Where `vllm` is, and what this machine's build of it needs. Settings of the node, not of the assignment."""

    executable: Path
    name: str
    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    start_seconds: float = 240
    """More than a start may take on a slow, busy machine."""

    @property
    def is_real(self) -> bool:
        return self.name == "real"


def real(environment_folder: Path) -> Engine:
    """The CPU build. Without VLLM_CPU_KVCACHE_SPACE it takes --gpu-memory-utilization as a share of the main memory."""
    return Engine(
        environment_folder / "bin" / "vllm",
        "real",
        arguments=["--enforce-eager", "--max-model-len", "512"],
        environment={"VLLM_CPU_KVCACHE_SPACE": "1"},
    )


@dataclass
class SimulatedEngine(Engine):
    """Its behaviour can be changed between two starts."""

    switches_file: Path = Path()

    def behave(self, **switches: str | float) -> None:
        """Sets `SIMULATED_VLLM_…` variables for the next start; the ones not named are as in the real engine."""
        lines = [f"export SIMULATED_VLLM_{name.upper()}={shlex.quote(str(value))}" for name, value in switches.items()]
        # Renamed into place: a start must not read half of it.
        temporary = self.switches_file.with_suffix(".tmp")
        temporary.write_text("".join(line + "\n" for line in lines))
        temporary.rename(self.switches_file)

    def transcript(self, name: str) -> str:
        """The path of one of the recorded ones."""
        return str(TRANSCRIPTS / f"{name}.transcript")


def simulated(binary: Path, folder: Path, speed: float = 1.0) -> SimulatedEngine:
    """Lays out what a virtual environment with vLLM looks like, with the stand-in in it."""
    (folder / "bin").mkdir(parents=True)
    packages = folder / "lib" / "python3.11" / "site-packages"
    for distribution in (f"vllm-{install.VLLM_VERSION}+cpu", f"runai_model_streamer-{STREAMER_VERSION}"):
        information = packages / f"{distribution}.dist-info"
        information.mkdir(parents=True)
        name, _, version = distribution.partition("-")
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    switches = folder / "switches.sh"
    executable = folder / "bin" / "vllm"
    # Like the real `vllm`, a script. It brings the switches past the agent, which passes on only what vLLM reads.
    executable.write_text(
        f"""#!/bin/sh
export SIMULATED_VLLM_TRANSCRIPT={shlex.quote(str(TRANSCRIPTS / "success.transcript"))}
export SIMULATED_VLLM_SPEED={speed}
export SIMULATED_VLLM_VENV={shlex.quote(str(folder))}
. {shlex.quote(str(switches))}
exec {shlex.quote(str(binary))} "$@"
"""
    )
    executable.chmod(0o755)
    engine = SimulatedEngine(
        executable,
        "simulated",
        arguments=["--enforce-eager", "--max-model-len", "512"],
        environment={"VLLM_CPU_KVCACHE_SPACE": "1"},
        start_seconds=60 / speed + 20,
        switches_file=switches,
    )
    engine.behave()
    return engine


def launchable(engine: SimulatedEngine, mode: str, seen_at: Path | None = None) -> SimulatedEngine:
    """The same, as a Python program that the engine launcher can start in one of its modes."""
    folder = engine.executable.parent.parent
    engine.executable.rename(engine.executable.with_name("simulated"))
    vllm = launchables.make_environment(folder, seen_at=seen_at)
    launchables.record(vllm, folder / "cache" / "launcher")
    engine.environment |= {
        "CROSSLOGIC_ENGINE_START": mode,
        "CROSSLOGIC_ENGINE_LAUNCHER": str(launchables.launcher()),
        "CROSSLOGIC_CACHE_DIR": str(folder / "cache"),
    }
    return engine


START_MODES = ["plain", "preload", "standby"]


def plain_command(engine: Engine, port: int, model: str, bucket: str) -> list[str]:
    """What somebody without an agent types to serve the same model in the same way."""
    return [
        str(engine.executable), "serve", f"s3://{bucket}/{model}",
        "--load-format", "runai_streamer",
        "--model-loader-extra-config", '{"concurrency":32,"memory_limit":5368709120}',
        "--served-model-name", model,
        "--gpu-memory-utilization", "0.95",
        "--dtype", "bfloat16",
        "--enable-chunked-prefill",
        "--disable-log-stats",
        "--tensor-parallel-size", "1",
        "--shutdown-timeout", "30",
        "--host", "0.0.0.0",
        "--port", str(port),
        *engine.arguments,
    ]  # fmt: skip


def plain_environment(engine: Engine, endpoint: str, access_key: str, secret_key: str, cache: Path) -> dict[str, str]:
    """The environment that goes with it."""
    return {
        "PATH": f"{engine.executable.parent}:{os.environ['PATH']}",
        "HOME": str(cache),
        "LANG": "C.UTF-8",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_DEFAULT_REGION": "auto",
        "AWS_REGION": "auto",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        "RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING": "0",
        "RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS": "30000",
        "RUNAI_STREAMER_LOG_TO_STDERR": "1",
        "RUNAI_STREAMER_LOG_LEVEL": "INFO",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CACHE_ROOT": str(cache),
        "VLLM_ASSETS_CACHE": str(cache / "assets"),
        "PYTHONUNBUFFERED": "1",
        **engine.environment,
    }


def cache_folder() -> Path:
    """vLLM's own caches, kept between runs like on a node."""
    folder = cache_root() / "engine-cache"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
