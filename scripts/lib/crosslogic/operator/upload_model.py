"""Brings a model into the bucket, so that nodes can stream it: safetensors only, checked first, verified afterwards.

The model comes from the Hugging Face Hub (through its cache, HF_HOME) or from a folder. Its index is compared with the
headers of its shards before a byte is sent. What is already in the bucket is not sent again, and an interrupted upload
continues with the part it had come to: just run it again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from crosslogic.console import Console, Stopwatch
from crosslogic.operator import environment, outcome, settings
from crosslogic.operator.outcome import Exit, OperatorError
from crosslogic.operator.report import Transfer, human_size, show_findings

EPILOG = f"""{settings.SETTINGS_HELP}
  HF_TOKEN for private and gated models; better than --hf-token, which others see in the process list until it has
  been read.

{
    outcome.exit_codes(
        Exit.OK, Exit.USAGE, Exit.UNSOUND, Exit.NOT_FOUND, Exit.UNAVAILABLE, Exit.VERIFICATION, Exit.TRY_AGAIN,
        Exit.REFUSED, Exit.SETTINGS, Exit.INTERRUPTED
    )
}"""  # fmt: skip


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/upload-model-to-r2.py",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="what the Hub calls it: meta-llama/Meta-Llama-3-8B-Instruct")
    parser.add_argument("--local-dir", type=Path, metavar="DIR", help="take the files from here and not from the Hub")
    parser.add_argument("--revision", help="a branch, tag or commit of the Hub's repository")
    parser.add_argument("--hf-token", metavar="TOKEN", help="a Hub token; HF_TOKEN is the safer way")
    parser.add_argument("--as", dest="prefix", metavar="PREFIX", help="its name in the bucket (default: MODEL)")
    parser.add_argument("--dry-run", action="store_true", help="check and compare, send nothing")
    parser.add_argument(
        "--delete-stray", action="store_true", help="remove *.safetensors from the prefix that belong to no part of it"
    )
    parser.add_argument("--workers", type=int, default=8, metavar="N", help="parts in flight (default: %(default)s)")
    parser.add_argument(
        "--attempts", type=int, default=8, metavar="N", help="of a request that fails on the way (default: %(default)s)"
    )
    parser.add_argument(
        "--part-size", type=int, default=32, metavar="MIB", help="5 to 5120; memory is this times N (default: 32)"
    )
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON object on standard output")
    settings.add_option(parser)
    options = parser.parse_args(arguments)
    if not 5 <= options.part_size <= 5120:
        parser.error("--part-size: R2 takes parts of 5 to 5120 MiB")
    if not 1 <= options.workers <= 64:
        parser.error("--workers: 1 to 64")
    return options


class Upload:
    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options = options
        self.console = console
        self.bucket, self.prefix = settings.split_address(options.prefix or options.model)
        self.report: dict[str, Any] = {"model": options.model, "dry_run": options.dry_run}

    def run(self) -> Exit:
        # Before a download of many gigabytes, not after it.
        chosen = settings.load(self.options.env_file, self.bucket)
        from crosslogic.operator.store import Store  # noqa: PLC0415 - boto3 takes 0.3 s

        self.store = Store(chosen)
        self.patient_store = Store(chosen, self.options.workers, self.options.attempts)
        self.report["address"] = self.store.address(self.prefix)
        listed = self.look_at_store()
        source = self.find_source()
        self.show_source(source)
        self.report["checkpoint"] = source.checkpoint.as_json()
        if not source.checkpoint.is_sound:
            raise OperatorError(Exit.UNSOUND, f"{self.options.model} is not whole; nothing was sent")
        self.send(source, listed)
        return Exit.OK if self.options.dry_run else self.check_result()

    def look_at_store(self) -> dict[str, Any]:
        from crosslogic.operator.remote import model_files  # noqa: PLC0415

        return model_files(self.store, self.prefix)

    def find_source(self) -> Any:
        from crosslogic.operator import sources  # noqa: PLC0415

        if self.options.local_dir:
            return sources.from_folder(self.options.local_dir)
        self.console.line(f"asking the Hub for {self.options.model}")
        # The token is in HF_TOKEN by now, wherever it came from.
        return sources.from_hub(self.options.model, self.options.revision)

    def show_source(self, source: Any) -> None:
        found = source.checkpoint
        self.report["left_out"] = source.left_out
        self.console.line(
            f"{source.folder}: {len(source.files)} files, {human_size(source.total_bytes)}; "
            f"{len(found.shards)} of {len(found.expected)} shards, {found.tensor_count} tensors"
        )
        for name, reason in source.left_out.items():
            self.console.line(f"left out  {name}: {reason}")
        show_findings(found, self.console)

    def send(self, source: Any, listed: dict[str, Any]) -> None:
        from crosslogic.operator.upload import Sent, Uploader, in_order  # noqa: PLC0415

        watch = Stopwatch()
        sizes = {name: path.stat().st_size for name, path in source.files.items()}
        part_size = self.options.part_size << 20
        results = []
        with Transfer(sizes, self.console) as transfer:
            uploader = Uploader(self.patient_store, self.prefix, part_size, self.options.workers, transfer.advance)
            try:
                for name in in_order(list(source.files)):
                    path = source.files[name]
                    transfer.begin(name)
                    if proof := uploader.is_present(path, listed.get(name)):
                        sent = Sent(name, sizes[name], "present", verified=proof)
                        transfer.advance(name, sizes[name])
                    elif self.options.dry_run:
                        sent = Sent(name, sizes[name], "would upload")
                    else:
                        sent = uploader.send(name, path)
                    results.append(sent)
                    transfer.end(name, words(sent))
            finally:
                uploader.close()
        moved = sum(sent.bytes for sent in results if sent.action in {"uploaded", "resumed"})
        self.report |= {"files": [sent.as_json() for sent in results], "seconds": round(watch.seconds, 3)}
        verb = "would be sent to" if self.options.dry_run else "are in"
        total = human_size(sum(sizes.values()))
        self.console.line(
            f"{len(results)} files, {total}, {verb} {self.store.address(self.prefix)} "
            f"({human_size(moved)} in files that were not there, {watch.seconds:.1f} s)"
        )

    def check_result(self) -> Exit:
        """As a node will find it: the listing, the index and the headers, out of the store."""
        from crosslogic.operator.remote import examine_remote, model_files  # noqa: PLC0415

        files = model_files(self.store, self.prefix)
        found = examine_remote(self.store, self.prefix, files)
        if found.stray and self.options.delete_stray:
            for name in found.stray:
                self.console.line(f"removing  {name}: it belongs to no part of the model")
                with self.store.explained(f"remove {name}"):
                    self.store.client.delete_object(Bucket=self.store.bucket, Key=f"{self.prefix}/{name}")
            found = examine_remote(self.store, self.prefix, model_files(self.store, self.prefix))
        self.report["in_store"] = found.as_json()
        if not found.is_sound:
            show_findings(found, self.console)
            raise OperatorError(Exit.UNSOUND, f"{self.store.address(self.prefix)} must not be served like this")
        self.console.line(
            f"verified  {self.store.address(self.prefix)}: {len(found.shards)} shards, {found.tensor_count} tensors, "
            f"{human_size(found.weight_bytes)} of weights"
        )
        return Exit.OK


def words(sent: Any) -> str:
    if sent.action == "present":
        return f"{human_size(sent.bytes)}, already there ({sent.verified})"
    if sent.action == "would upload":
        return f"{human_size(sent.bytes)}, would be uploaded"
    kept = f", {sent.parts_kept} of its parts were there already" if sent.parts_kept else ""
    return f"{human_size(sent.bytes)}, {sent.action}, verified ({sent.verified}){kept}"


def without_token(arguments: list[str]) -> list[str]:
    """The arguments as they may be seen by everyone."""
    kept = []
    words_left = iter(arguments)
    for word in words_left:
        if word == "--hf-token":
            next(words_left, None)
        elif not word.startswith("--hf-token="):
            kept.append(word)
    return kept


def main(arguments: list[str]) -> NoReturn:
    options = parse(arguments)
    environment.enter("crosslogic.operator.upload_model", without_token(arguments), HF_TOKEN=options.hf_token)
    console = Console(sys.stderr)
    upload = Upload(options, console)
    code = outcome.run(upload.run, console)
    if options.json:
        print(json.dumps({**upload.report, "exit_code": int(code)}, indent=1))
    sys.stdout.flush()
    # Not by `return`: Python would first wait for requests in flight, through all their attempts.
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
