"""Makes a bucket ready for models and this machine ready for the bucket. Run it again at any time.

It proves the credentials by writing, reading, reading a range of and deleting a small object, creates the bucket where
it is missing, has abandoned multipart uploads removed after a week where the store lets one say so, looks at the CDN
domain if there is one, and writes the settings file that the other scripts read. What is not in the environment is
asked for, on a terminal.
"""

from __future__ import annotations

import argparse
import getpass
import os
import secrets
import shlex
import sys
from pathlib import Path
from typing import Any

from crosslogic.console import Console
from crosslogic.operator import cdn, environment, outcome, settings
from crosslogic.operator.outcome import Exit, OperatorError

RULE_ID = "crosslogic-abandoned-uploads"
ABANDONED_DAYS = 7
CHECK_PREFIX = ".crosslogic-setup/"

EPILOG = f"""{settings.SETTINGS_HELP}

{
    outcome.exit_codes(
        Exit.OK, Exit.USAGE, Exit.NOT_FOUND, Exit.UNAVAILABLE, Exit.VERIFICATION, Exit.REFUSED, Exit.SETTINGS
    )
}"""  # fmt: skip

QUESTIONS = {
    "endpoint": "R2 endpoint (https://<account-id>.r2.cloudflarestorage.com): ",
    "bucket": "bucket: ",
    "access_key": "access key ID: ",
    "secret_key": "secret access key (not shown): ",
}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/setup-r2.sh",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--no-create", action="store_true", help="fail where the bucket is missing")
    parser.add_argument("--no-lifecycle", action="store_true", help="leave the bucket's lifecycle rules alone")
    parser.add_argument("--no-write", action="store_true", help="do not write the settings file")
    settings.add_option(parser)
    return parser.parse_args(arguments)


def ask_for_missing(options: argparse.Namespace) -> settings.StoreSettings:
    found = settings.values(options.env_file)
    for name, question in QUESTIONS.items():
        if not found.get(name) and sys.stdin.isatty():
            answer = getpass.getpass(question) if name == "secret_key" else input(question)
            os.environ[settings.NAMES[name][0]] = answer.strip()
    return settings.load(options.env_file)


class Setup:
    def __init__(self, store: Any, options: argparse.Namespace, console: Console) -> None:
        self.store = store
        self.options = options
        self.console = console

    def say(self, label: str, text: str) -> None:
        self.console.line(f"{label:<12} {text}")

    def run(self) -> Exit:
        self.say("endpoint", self.store.settings.endpoint)
        self.ensure_bucket()
        self.round_trip()
        if not self.options.no_lifecycle:
            self.ensure_lifecycle()
        if self.store.settings.cdn_domain:
            self.check_cdn()
        if not self.options.no_write:
            changed = write_settings(self.options.env_file, self.store.settings)
            self.say("settings", f"{self.options.env_file} {'written' if changed else 'unchanged'} (mode 0600)")
        self.say("ready", "next: scripts/upload-model-to-r2.py MODEL")
        return Exit.OK

    def ensure_bucket(self) -> None:
        # Not HeadBucket: its refusals have no body, and so no reason.
        try:
            with self.store.explained(f"look into the bucket {self.store.bucket}"):
                self.store.client.list_objects_v2(Bucket=self.store.bucket, MaxKeys=1)
            self.say("bucket", f"{self.store.bucket} is there")
        except OperatorError as error:
            if error.code != Exit.NOT_FOUND or self.options.no_create:
                raise
            self.create_bucket()

    def create_bucket(self) -> None:
        try:
            with self.store.explained(f"create the bucket {self.store.bucket}"):
                self.store.client.create_bucket(Bucket=self.store.bucket)
        except OperatorError as error:
            if error.code == Exit.REFUSED:
                raise OperatorError(
                    Exit.REFUSED,
                    f"there is no bucket {self.store.bucket}, and this token may not create one",
                    "Create it in the dashboard (R2, Create bucket), or use a token with Admin Read & Write once.",
                ) from error
            raise
        self.say("bucket", f"{self.store.bucket} created")

    def round_trip(self) -> None:
        """What uploads and nodes do with an object, each of which a token may be denied by itself."""
        key = CHECK_PREFIX + secrets.token_hex(8)
        content = secrets.token_bytes(4096)
        client, bucket = self.store.client, self.store.bucket
        with self.store.explained(f"write {self.store.address(key)}"):
            client.put_object(Bucket=bucket, Key=key, Body=content)
        try:
            if self.store.read(key) != content:
                raise OperatorError(Exit.VERIFICATION, "what was read is not what was written")
            if self.store.read(key, 1000, 96) != content[1000:1096]:
                raise OperatorError(
                    Exit.VERIFICATION,
                    "a ranged read gave other bytes than the range asked for",
                    "The streamer reads ranges only: whatever stands between here and the store must let them through.",
                )
        finally:
            with self.store.explained(f"delete {self.store.address(key)}"):
                client.delete_object(Bucket=bucket, Key=key)
        if self.store.head(key) is not None:
            raise OperatorError(Exit.VERIFICATION, f"{self.store.address(key)} is still there after its deletion")
        self.say("credentials", "written, read, read a range, deleted: all as it should be")

    def ensure_lifecycle(self) -> None:
        rules = self.lifecycle_rules()
        if rules is None:
            self.say("lifecycle", "left alone: this token may not read the bucket's rules")
            return
        if any(cleans_up(rule) for rule in rules):
            self.say("lifecycle", "abandoned uploads are removed by a rule that is there already")
            return
        rule = {
            "ID": RULE_ID,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABANDONED_DAYS},
        }
        try:
            with self.store.explained("set the lifecycle rules"):
                self.store.client.put_bucket_lifecycle_configuration(
                    Bucket=self.store.bucket, LifecycleConfiguration={"Rules": [*rules, rule]}
                )
            # Some stores answer, and do nothing.
            done = any(cleans_up(rule) for rule in self.lifecycle_rules() or [])
        except OperatorError:
            done = False
        self.say(
            "lifecycle",
            f"abandoned uploads are removed after {ABANDONED_DAYS} days"
            if done
            else "not set: this store, or this token, does not do lifecycle rules (R2 removes abandoned uploads after "
            "7 days by default)",
        )

    def lifecycle_rules(self) -> list[dict[str, Any]] | None:
        """None where they cannot be read: then they must not be written either, for writing replaces all of them."""
        try:
            with self.store.explained("read the lifecycle rules"):
                answer = self.store.client.get_bucket_lifecycle_configuration(Bucket=self.store.bucket)
        except OperatorError as error:
            return [] if error.code == Exit.NOT_FOUND else None
        return answer.get("Rules", [])

    def check_cdn(self) -> None:
        """Any answer will do: there may be nothing to fetch yet, but DNS, TLS and the domain's binding are seen."""
        base = cdn.base_url(self.store.settings.cdn_domain)
        try:
            answer = cdn.fetch(f"{base}/{CHECK_PREFIX}absent")
        except OSError as error:
            raise OperatorError(
                Exit.UNAVAILABLE, f"{base} does not answer: {error}", "Check R2_CDN_DOMAIN, or leave it out."
            ) from error
        through = f", through Cloudflare ({answer.cache_status})" if answer.cache_status else ""
        self.say("CDN", f"{base} answers with {answer.status}{through}")


def cleans_up(rule: dict[str, Any]) -> bool:
    everything = not rule.get("Filter", {}).get("Prefix") and not rule.get("Prefix")
    return rule.get("Status") == "Enabled" and "AbortIncompleteMultipartUpload" in rule and everything


def write_settings(path: Path, chosen: settings.StoreSettings) -> bool:
    """Keeps every other line. True where something changed. The file is never readable by others, not for a moment."""
    lines = {
        "R2_ENDPOINT": chosen.endpoint,
        "R2_BUCKET": chosen.bucket,
        "R2_ACCESS_KEY": chosen.access_key,
        "R2_SECRET_KEY": chosen.secret_key,
        "R2_SESSION_TOKEN": chosen.session_token,
        "R2_CDN_DOMAIN": chosen.cdn_domain,
    }
    old = path.read_text() if path.exists() else "# Settings of the operator's scripts, by scripts/setup-r2.sh.\n"
    kept = [line for line in old.splitlines() if line.removeprefix("export ").partition("=")[0].strip() not in lines]
    new = "\n".join([*kept, *(f"{name}={shlex.quote(value)}" for name, value in lines.items() if value)]) + "\n"
    if path.exists() and new == old and path.stat().st_mode & 0o777 == 0o600:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(new)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    return True


def command(options: argparse.Namespace, console: Console) -> Exit:
    chosen = ask_for_missing(options)
    from crosslogic.operator.store import Store  # noqa: PLC0415 - boto3 takes 0.3 s

    return Setup(Store(chosen), options, console).run()


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    environment.enter("crosslogic.operator.setup_r2", arguments)
    console = Console(sys.stdout)
    return outcome.run(lambda: command(options, console), console)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
