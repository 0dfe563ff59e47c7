"""Where the store is and who we are there: from the environment, or from the file that `setup-r2.sh` writes."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from crosslogic.operator.outcome import Exit, OperatorError

# The names of the node agent's settings first, then what the AWS tools read.
NAMES = {
    "endpoint": ("R2_ENDPOINT", "AWS_ENDPOINT_URL"),
    "bucket": ("R2_BUCKET",),
    "access_key": ("R2_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
    "secret_key": ("R2_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"),
    "session_token": ("R2_SESSION_TOKEN", "AWS_SESSION_TOKEN"),
    "cdn_domain": ("R2_CDN_DOMAIN",),
}
REQUIRED = ("endpoint", "bucket", "access_key", "secret_key")

SETTINGS_HELP = """settings:
  R2_ENDPOINT, R2_BUCKET, R2_ACCESS_KEY, R2_SECRET_KEY (and R2_CDN_DOMAIN), from the environment or from the settings
  file, which scripts/setup-r2.sh writes. Secrets are never taken from, or put on, a command line."""


@dataclass(frozen=True)
class StoreSettings:
    endpoint: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    cdn_domain: str = ""

    def aws_environment(self) -> dict[str, str]:
        """What the AWS SDKs inside vLLM, the streamer and s3fs read, with what R2 needs of them."""
        variables = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "auto",
            "AWS_REGION": "auto",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            # An integer: any word makes the streamer fail with "Unknown Error".
            "RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING": "0",
            "RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS": "30000",
        }
        return {**variables, **({"AWS_SESSION_TOKEN": self.session_token} if self.session_token else {})}


def default_file() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "crosslogic" / "r2.env"


def add_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--env-file",
        type=Path,
        default=default_file(),
        metavar="FILE",
        help="settings that are not in the environment (default: %(default)s)",
    )


def values(env_file: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Every setting there is; the environment wins over the file."""
    environment = os.environ if environment is None else environment
    in_file = read_file(env_file)
    found = {}
    for name, variables in NAMES.items():
        for source in (environment, in_file):
            if value := next((source[variable] for variable in variables if source.get(variable)), ""):
                found[name] = value
                break
    return found


def load(env_file: Path, bucket: str = "") -> StoreSettings:
    """`bucket` wins over the setting: it comes from an s3:// address. Raises naming everything that is missing."""
    found = values(env_file) | ({"bucket": bucket} if bucket else {})
    missing = [NAMES[name][0] for name in REQUIRED if not found.get(name)]
    if missing:
        raise OperatorError(
            Exit.SETTINGS,
            f"not set: {', '.join(missing)} (looked in the environment and in {env_file})",
            "Run scripts/setup-r2.sh once, or export them.",
        )
    check_endpoint(found["endpoint"])
    return StoreSettings(**found)


def check_endpoint(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise OperatorError(
            Exit.SETTINGS,
            f"R2_ENDPOINT is no http(s) address: {endpoint}",
            "It looks like https://<account-id>.r2.cloudflarestorage.com",
        )
    if parts.path.strip("/") or parts.username:
        raise OperatorError(
            Exit.SETTINGS,
            "R2_ENDPOINT has more than scheme, host and port",
            "The bucket goes into R2_BUCKET, the keys into R2_ACCESS_KEY and R2_SECRET_KEY.",
        )


def read_file(path: Path) -> dict[str, str]:
    """NAME=value lines, quotes as in a shell. An absent file holds nothing."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(Exit.SETTINGS, f"cannot read {path}: {error}") from error
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, value = line.removeprefix("export ").partition("=")
        if not equals or name.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(value, comments=True)
        except ValueError as error:
            raise OperatorError(Exit.SETTINGS, f"{path}, line {number}: {error}") from error
        found[name.strip()] = words[0] if words else ""
    return found


def split_address(model: str) -> tuple[str, str]:
    """Bucket (empty where none is named) and prefix of `s3://bucket/org/model` or `org/model`."""
    if not model.startswith("s3://"):
        return "", model.strip("/")
    bucket, _, prefix = model.removeprefix("s3://").partition("/")
    if not bucket or not prefix.strip("/"):
        raise OperatorError(Exit.USAGE, f"{model} is not s3://BUCKET/PREFIX")
    return bucket, prefix.strip("/")
