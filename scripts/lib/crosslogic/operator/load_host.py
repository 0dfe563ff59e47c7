"""Loads models, each in a process of its own that begins with everything imported. Runs in the engine's Python.

Reads one JSON request a line and answers with one JSON line. The imports (torch: seconds) happen once; each load is a
fork, so no connection, thread or client of one load is there for the next, as after a start.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

Request = dict[str, Any]
"""method, bucket, prefix, shards {name: bytes}, scratch, device, environment, connections."""


def main() -> None:
    # Our own packages first, then the engine's: s3fs needs another botocore than the engine has.
    sys.path += [path for path in os.environ.get("CROSSLOGIC_ENGINE_PACKAGES", "").split(os.pathsep) if path]
    answer = sys.stdout.fileno()
    out = os.fdopen(os.dup(answer), "w", buffering=1)
    # What libraries print must not end up among the answers.
    os.dup2(sys.stderr.fileno(), answer)
    print(json.dumps(prepare()), file=out)
    for line in sys.stdin:
        request = json.loads(line)
        out.flush()
        child = os.fork()
        if child == 0:
            print(json.dumps(answer_to(request)), file=out, flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            print(json.dumps({"error": f"the loading process died: wait status {status}"}), file=out)


def prepare() -> dict[str, Any]:
    """What can be done here: versions, and which methods."""
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    for method, modules in {
        "standard": ["boto3", "torch", "safetensors.torch"],
        "s3fs": ["s3fs", "torch", "safetensors.torch"],
        "streamer": ["runai_model_streamer", "torch"],
    }.items():
        for module in modules:
            try:
                versions[module] = getattr(__import__(module), "__version__", "")
            except ImportError as error:
                missing.setdefault(method, str(error))
    cuda = False
    if "torch" in versions:
        import torch  # noqa: PLC0415

        # Not is_available(): that may initialise CUDA, and a forked child could not use it then.
        cuda = torch.version.cuda is not None and any(Path("/dev").glob("nvidia[0-9]*"))
    return {"versions": versions, "missing": missing, "device": "cuda" if cuda else "cpu"}


def answer_to(request: Request) -> dict[str, Any]:
    os.environ.update(request["environment"])
    base = peak_memory()
    try:
        load = METHODS[request["method"]]
        sink = Sink(request["device"])
        started = time.perf_counter()
        detail = load(request, sink)
        sink.finish()
        seconds = time.perf_counter() - started
    except Exception:
        return {"error": traceback.format_exc(limit=3)}
    return {
        "seconds": seconds,
        "tensors": sink.tensors,
        "bytes": sink.bytes,
        "extra_memory": peak_memory() - base,
        **detail,
    }


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Sink:
    """Where every tensor has to get to: memory of the device, copied, as an engine copies it into its parameters."""

    def __init__(self, device: str) -> None:
        import torch  # noqa: PLC0415

        self.torch = torch
        self.device = device
        self.tensors = 0
        self.bytes = 0

    def take(self, tensor: Any) -> None:
        tensor.to(self.device, copy=True)
        self.tensors += 1
        self.bytes += tensor.numel() * tensor.element_size()

    def finish(self) -> None:
        if self.device != "cpu":
            self.torch.cuda.synchronize()


def load_standard(request: Request, sink: Sink) -> dict[str, Any]:
    """Downloads what is not there, as the AWS tools do (ten requests at a time), then loads from the files."""
    from safetensors.torch import load_file  # noqa: PLC0415

    started = time.perf_counter()
    met = download(request)
    downloaded = time.perf_counter() - started
    for name in request["shards"]:
        for tensor in load_file(Path(request["scratch"]) / name).values():
            sink.take(tensor)
    return {"download_seconds": downloaded, "found_on_disk": met}


def download(request: Request) -> int:
    """How many shards were there already."""
    import boto3  # noqa: PLC0415
    from boto3.s3.transfer import TransferConfig, create_transfer_manager  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    folder = Path(request["scratch"])
    wanted = {
        name: size
        for name, size in request["shards"].items()
        if not (folder / name).exists() or (folder / name).stat().st_size != size
    }
    if wanted:
        addressing = Config(s3={"addressing_style": "path"}, max_pool_connections=request["connections"])
        client = boto3.client("s3", config=addressing)
        # One manager for all files: they share the requests, as in the AWS command line.
        with create_transfer_manager(client, TransferConfig(max_concurrency=request["connections"])) as manager:
            downloads = [
                manager.download(request["bucket"], f"{request['prefix']}/{name}", str(folder / name))
                for name in wanted
            ]
            for one in downloads:
                one.result()
    return len(request["shards"]) - len(wanted)


def load_s3fs(request: Request, sink: Sink) -> dict[str, Any]:
    """Through fsspec, whole objects into memory, as many at a time as a download has requests."""
    import s3fs  # noqa: PLC0415
    from safetensors.torch import load  # noqa: PLC0415

    system = s3fs.S3FileSystem(
        endpoint_url=os.environ["AWS_ENDPOINT_URL"], config_kwargs={"s3": {"addressing_style": "path"}}
    )

    def contents() -> Iterator[bytes]:
        def read(name: str) -> bytes:
            return system.cat_file(f"{request['bucket']}/{request['prefix']}/{name}")

        with ThreadPoolExecutor(min(request["connections"], 4)) as pool:
            yield from pool.map(read, request["shards"])

    for content in contents():
        for tensor in load(content).values():
            sink.take(tensor)
    return {}


def load_streamer(request: Request, sink: Sink) -> dict[str, Any]:
    """The calls that vLLM makes (model_loader/weight_utils.py)."""
    from runai_model_streamer import SafetensorsStreamer  # noqa: PLC0415

    paths = [f"s3://{request['bucket']}/{request['prefix']}/{name}" for name in request["shards"]]
    with SafetensorsStreamer() as streamer:
        streamer.stream_files(paths, device="cpu", is_distributed=False)
        for _, tensor in streamer.get_tensors():
            sink.take(tensor)
    return {}


METHODS: dict[str, Callable[[Request, Sink], dict[str, Any]]] = {
    "standard": load_standard,
    "s3fs": load_s3fs,
    "streamer": load_streamer,
}

if __name__ == "__main__":
    main()
