"""How fast a model of the bucket gets into memory here: downloaded, through s3fs, streamed, streamed as tuned.

standard   as the AWS tools download it (ten requests at a time over all shards), then safetensors loads the files
s3fs       whole objects through fsspec, then safetensors
streamer   Run:ai's, with the calls that vLLM makes, at each of --concurrency
tuned      the streamer at the concurrency that a short look at the link suggests

Ways take turns within each run. "cold" means nothing of it on this machine, "disk" downloaded but not in memory,
"warm" right after a load. Every load ends with all tensors copied to the device and must deliver every byte. With a
vLLM, --vllm also starts it both ways, until it answers.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from crosslogic.console import Console
from crosslogic.operator import environment, outcome, settings
from crosslogic.operator.outcome import Exit, OperatorError

EPILOG = f"""{settings.SETTINGS_HELP}

prices:
  They are there to be replaced by yours; the defaults and their dates are in the output.

{
    outcome.exit_codes(
        Exit.OK, Exit.USAGE, Exit.UNSOUND, Exit.NOT_FOUND, Exit.UNAVAILABLE, Exit.VERIFICATION, Exit.REFUSED,
        Exit.SETTINGS, Exit.INTERRUPTED
    )
}"""  # fmt: skip


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark-model-loading.py",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="s3://bucket/org/model or org/model")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of each way and state (default: %(default)s)")
    parser.add_argument(
        "--concurrency", default="8,16,32", metavar="N,N", help="the streamer's, to compare (default: %(default)s)"
    )
    parser.add_argument("--memory-limit", type=int, default=5 << 30, metavar="BYTES", help="the streamer's (5 GiB)")
    parser.add_argument("--engine", type=Path, metavar="DIR", help="a virtual environment with torch and the streamer")
    parser.add_argument("--vllm", action="store_true", help="start vLLM too: minutes")
    parser.add_argument(
        "--scratch", type=Path, default=Path(tempfile.gettempdir()), metavar="DIR", help="for downloads"
    )
    parser.add_argument(
        "--drop-caches",
        action="store_true",
        help="before cold loads, drop the page cache of the whole machine (root); else of our own files only",
    )
    parser.add_argument("--chart", type=Path, metavar="FILE", help="an SVG of the result")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--launches-per-day", type=float, default=100, metavar="N", help="default: %(default)g")
    parser.add_argument("--gpu-price", type=float, metavar="USD", help="of the node, per hour")
    parser.add_argument("--egress-price", type=float, metavar="USD", help="per GB, of a cloud that charges for it")
    parser.add_argument("--r2-storage-price", type=float, metavar="USD", help="per GB and month")
    parser.add_argument("--r2-read-price", type=float, metavar="USD", help="per million reads (class B)")
    settings.add_option(parser)
    options = parser.parse_args(arguments)
    try:
        options.concurrency = sorted({int(word) for word in options.concurrency.split(",")})
        if options.runs < 1 or options.concurrency[0] < 1:
            raise ValueError
    except ValueError:
        parser.error("--concurrency and --runs take whole numbers above zero")
    return options


class Benchmark:
    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options = options
        self.console = console
        self.report: dict[str, Any] = {"model": options.model, "runs": options.runs}

    def run(self) -> Exit:
        from crosslogic.operator import engine_place, loading  # noqa: PLC0415
        from crosslogic.operator.store import Store  # noqa: PLC0415 - boto3 takes 0.3 s

        bucket, prefix = settings.split_address(self.options.model)
        self.settings = settings.load(self.options.env_file, bucket)
        self.store = Store(self.settings, connections=64)
        self.prefix = prefix
        checkpoint = self.examine()
        self.engine = engine_place.find(self.options.engine, self.console)
        drop = self.options.drop_caches
        if drop and not loading.may_drop_everything():
            raise OperatorError(Exit.USAGE, "--drop-caches: /proc/sys/vm/drop_caches cannot be written; be root")
        python, packages = self.engine.python_for_loading()
        self.console.line(f"engine  {self.engine.folder}")
        with (
            loading.scratch_folder(self.options.scratch, checkpoint.weight_bytes) as scratch,
            tempfile.TemporaryDirectory(prefix="crosslogic-loading-") as logs,
            loading.LoadHost(python, packages, self.settings.aws_environment(), Path(logs) / "load.log") as host,
        ):
            self.plan = loading.Plan(
                bucket=self.store.bucket,
                prefix=prefix,
                shards={shard.name: shard.size for shard in checkpoint.shards},
                tensors=checkpoint.tensor_count,
                tensor_bytes=sum(size for shard in checkpoint.shards for size in shard.tensors.values()),
                device=host.facts["device"],
                scratch=scratch,
                memory_limit=max(self.options.memory_limit, checkpoint.largest_tensor),
                connections=10,
                drop="whole machine" if drop else "own files",
            )
            ways = self.ways(host)
            self.measure_all(host, ways)
            if self.options.vllm:
                self.start_engines()
        self.conclude()
        return Exit.OK

    def examine(self) -> Any:
        from crosslogic.operator.remote import examine_remote, model_files  # noqa: PLC0415
        from crosslogic.operator.report import human_size, show_findings  # noqa: PLC0415

        files = model_files(self.store, self.prefix)
        if not files:
            raise OperatorError(Exit.NOT_FOUND, f"there is no model at {self.store.address(self.prefix)}")
        self.other_files = [name for name in files if not name.endswith(".safetensors") and "/" not in name]
        found = examine_remote(self.store, self.prefix, files)
        if not found.is_sound:
            show_findings(found, self.console)
            raise OperatorError(Exit.UNSOUND, "a model that is not whole is not worth measuring")
        self.report |= {
            "address": self.store.address(self.prefix),
            "weight_bytes": found.weight_bytes,
            "shards": len(found.shards),
            "tensors": found.tensor_count,
        }
        self.console.line(
            f"model   {self.store.address(self.prefix)}: {human_size(found.weight_bytes)}, {len(found.shards)} shards, "
            f"{found.tensor_count} tensors"
        )
        return found

    def ways(self, host: Any) -> list[Any]:
        from crosslogic.operator import tuning  # noqa: PLC0415
        from crosslogic.operator.loading import Way  # noqa: PLC0415

        largest = max(self.plan.shards, key=lambda name: self.plan.shards[name])
        key = f"{self.prefix}/{largest}"
        link = tuning.probe(lambda offset, size: self.store.read(key, offset, size), self.plan.shards[largest])
        choice = tuning.choose(link)
        self.console.line(f"link    {choice.why}")
        self.report |= {
            "link": link.as_json(),
            "tuned": {"concurrency": choice.concurrency, "why": choice.why},
            "device": self.plan.device,
            "versions": host.facts["versions"],
            "not_measured": host.facts["missing"],
            "caches_dropped": self.plan.drop,
        }
        for method, reason in host.facts["missing"].items():
            self.console.line(f"not measured: {method}: {reason}")
        ways = [
            Way("standard", "standard"),
            Way("s3fs", "s3fs"),
            *(Way(f"streamer c={number}", "streamer", number) for number in self.options.concurrency),
            Way(f"tuned c={choice.concurrency}", "streamer", choice.concurrency),
        ]
        return [way for way in ways if way.method not in host.facts["missing"]]

    def measure_all(self, host: Any, ways: list[Any]) -> None:
        from crosslogic.operator import loading  # noqa: PLC0415

        self.results: dict[tuple[str, str], loading.Result] = {
            (way.name, state): loading.Result(way, state) for way in ways for state in way.states
        }
        total = self.options.runs * len(self.results)
        for number, (way, state) in enumerate(self.plan.order(ways, self.options.runs), 1):
            self.console.stage(f"{number} of {total}: {way.name}, {state}")
            answer = loading.measure(host, self.plan, way, state)
            result = self.results[way.name, state]
            result.seconds.append(answer["seconds"])
            result.extra_memory = max(result.extra_memory, answer["extra_memory"])
            if "download_seconds" in answer:
                result.download_seconds.append(answer["download_seconds"])
        self.console.done()

    def start_engines(self) -> None:
        """Streamed first, as tuned; then downloaded, with every shard and every other file."""
        from crosslogic.operator import vllm_start  # noqa: PLC0415

        if not self.engine.vllm:
            raise OperatorError(Exit.NOT_FOUND, f"there is no vLLM in {self.engine.folder}")
        self.console.stage("starting vLLM, streaming")
        extra = {"concurrency": self.report["tuned"]["concurrency"], "memory_limit": self.plan.memory_limit}
        streamed = vllm_start.start(
            self.engine,
            f"streamer c={extra['concurrency']}",
            self.report["address"],
            ["--load-format", "runai_streamer", "--model-loader-extra-config", json.dumps(extra)],
            self.settings.aws_environment(),
        )
        self.console.stage("starting vLLM, downloading first")
        self.plan.scratch.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.fetch_small, self.other_files))
        download_s = self.results["standard", "cold"].download_seconds[-1]
        standard = vllm_start.start(self.engine, "standard", str(self.plan.scratch), [], {}, download_s)
        self.console.done()
        self.report["vllm"] = [streamed.as_json(), standard.as_json()]

    def fetch_small(self, name: str) -> None:
        (self.plan.scratch / name).write_bytes(self.store.read(f"{self.prefix}/{name}"))

    def conclude(self) -> None:
        from crosslogic.operator import conclusion  # noqa: PLC0415

        conclusion.add(self.report, list(self.results.values()), self.options)
        if self.options.chart:
            self.options.chart.write_text(conclusion.chart_of(self.report))
            self.console.line(f"chart   {self.options.chart}")
        if not self.options.json:
            print("\n".join(conclusion.lines_of(self.report)))


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    environment.enter("crosslogic.operator.benchmark_loading", arguments)
    console = Console(sys.stderr)
    benchmark = Benchmark(options, console)
    code = outcome.run(benchmark.run, console)
    if options.json and code == Exit.OK:
        print(json.dumps(benchmark.report, indent=1))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
