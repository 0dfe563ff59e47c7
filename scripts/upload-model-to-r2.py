#!/usr/bin/env python3
"""Uploads a model from the Hugging Face Hub or a folder into the bucket, checked and verified. See --help."""

import os
import sys
from pathlib import Path

# Whatever Python this was started with, `launch` finds one that can run it.
launch = Path(__file__).resolve().parent / "lib" / "launch"
os.execv(launch, [str(launch), "operator.upload_model", *sys.argv[1:]])
