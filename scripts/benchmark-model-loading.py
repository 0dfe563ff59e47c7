#!/usr/bin/env python3
"""Measures how fast a model of the bucket loads here: downloaded, through s3fs, streamed. See --help."""

import os
import sys
from pathlib import Path

# Whatever Python this was started with, `launch` finds one that can run it.
launch = Path(__file__).resolve().parent / "lib" / "launch"
os.execv(launch, [str(launch), "operator.benchmark_loading", *sys.argv[1:]])
