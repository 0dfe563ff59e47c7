"""Where things are."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "scripts"
SIMULATED_VLLM = ROOT / "Tests" / "SimulatedVLLM"
LOG_BENCH = ROOT / "Tests" / "LogBench"
FLEET_SIMULATOR = ROOT / "Tests" / "FleetSimulator"
FUZZ = ROOT / "Tests" / "Fuzz"
TRANSCRIPTS = ROOT / "Tests" / "AgentCoreTests" / "Fixtures" / "vllm-logs"


def cache_root() -> Path:
    """Engine and tools: large, slow to make, and no build products, so `swift package clean` leaves them alone."""
    return Path(os.environ.get("CROSSLOGIC_CACHE") or ROOT / ".cache").absolute()
