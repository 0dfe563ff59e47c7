"""Opens what it is told is a GPU's device when it is imported, and keeps it open."""

import os

DEVICE = os.open(os.environ["VLLM_STANDIN_DEVICE"], os.O_RDONLY)
