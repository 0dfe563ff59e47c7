"""Fetches a model's configuration and tokenizer through R2_CDN_DOMAIN, and says whether the cache has them now.

Weights are left out: nodes stream them over the S3 API, which has no cache, and Cloudflare keeps files up to 512 MB
(5 GB for Enterprise; as of its documentation in 2026). Each file is fetched twice: the second answer tells.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from crosslogic.console import Console, table
from crosslogic.operator import cdn, environment, outcome, settings
from crosslogic.operator.outcome import Exit, OperatorError
from crosslogic.operator.report import human_size

CACHED = {"HIT", "STALE", "UPDATING", "REVALIDATED"}

EPILOG = f"""{settings.SETTINGS_HELP}

{
    outcome.exit_codes(
        Exit.OK, Exit.USAGE, Exit.NOT_FOUND, Exit.UNAVAILABLE, Exit.VERIFICATION, Exit.REFUSED, Exit.SETTINGS
    )
}"""  # fmt: skip


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/warm-cdn",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="org/model or s3://bucket/org/model")
    parser.add_argument("--json", action="store_true", help="a JSON list on standard output")
    settings.add_option(parser)
    return parser.parse_args(arguments)


def small_files(store: Any, prefix: str) -> list[Any]:
    from crosslogic.operator.checkpoint import OTHER_WEIGHTS  # noqa: PLC0415

    def is_weight(key: str) -> bool:
        return key.endswith(".safetensors") or OTHER_WEIGHTS.fullmatch(key) is not None

    entries = [entry for entry in store.list(prefix + "/") if not is_weight(entry.key)]
    if not entries:
        raise OperatorError(Exit.NOT_FOUND, f"there is no model at {store.address(prefix)}")
    return entries


def warm(base: str, entry: Any) -> dict[str, Any]:
    url = cdn.url_of(base, entry.key)
    try:
        first, second = cdn.fetch(url), cdn.fetch(url)
    except OSError as error:
        raise OperatorError(Exit.UNAVAILABLE, f"{url}: {error}", "Check R2_CDN_DOMAIN.") from error
    intact = second.status == 200 and second.size == entry.size
    return {
        "key": entry.key,
        "bytes": entry.size,
        "intact": intact,
        "cached": second.cache_status in CACHED,
        "first": asdict(first),
        "second": asdict(second),
    }


def show(results: list[dict[str, Any]], console: Console) -> None:
    rows = [["file", "size", "status", "first", "then", "age", "ms"]]
    for result in results:
        second = result["second"]
        rows.append(
            [
                result["key"],
                human_size(result["bytes"]),
                str(second["status"]),
                result["first"]["cache_status"] or "-",
                second["cache_status"] or "-",
                "-" if second["age"] is None else f"{second['age']} s",
                f"{second['seconds'] * 1000:.0f}",
            ]
        )
    for line in table(rows, right={1, 6}):
        console.line(line)


def command(options: argparse.Namespace, console: Console) -> Exit:
    bucket = next((settings.split_address(model)[0] for model in options.models), "")
    chosen = settings.load(options.env_file, bucket)
    if not chosen.cdn_domain:
        raise OperatorError(
            Exit.SETTINGS,
            "not set: R2_CDN_DOMAIN",
            "Bind a domain to the bucket first; without one, nothing is cached.",
        )
    from crosslogic.operator.store import Store  # noqa: PLC0415

    store = Store(chosen)
    entries = [entry for model in options.models for entry in small_files(store, settings.split_address(model)[1])]
    base = cdn.base_url(chosen.cdn_domain)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda entry: warm(base, entry), entries))
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        show(results, console)
    return verdict(base, results, console)


def verdict(base: str, results: list[dict[str, Any]], console: Console) -> Exit:
    wrong = [result["key"] for result in results if not result["intact"]]
    if wrong:
        raise OperatorError(
            Exit.VERIFICATION,
            f"{base} does not serve what the bucket holds: {', '.join(wrong[:3])}",
            "Is the domain bound to this bucket? A replaced file stays in the cache until it is purged.",
        )
    uncached = [result["key"] for result in results if not result["cached"]]
    if uncached:
        console.line(
            f"{len(uncached)} of {len(results)} are not cached: JSON is not cached by default; make a cache rule with "
            "Cache eligibility: Eligible for cache"
        )
    else:
        console.line(f"all {len(results)} files are in the cache")
    return Exit.OK


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    environment.enter("crosslogic.operator.warm_cdn", arguments)
    console = Console(sys.stderr)
    return outcome.run(lambda: command(options, console), console)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
