"""`scripts/setup-r2.sh`: proves the credentials, leaves nothing behind, and writes a file nobody else can read."""

from __future__ import annotations

import pytest
from cdn_stand_in import CDN
from workbench import Workbench, write_model

UNAVAILABLE, REFUSED, NOT_FOUND, SETTINGS = 69, 77, 66, 78
NOTHING = dict.fromkeys(("R2_ENDPOINT", "R2_BUCKET", "R2_ACCESS_KEY", "R2_SECRET_KEY"))


def test_creates_the_bucket_and_writes_settings_the_other_scripts_read(bench: Workbench) -> None:
    settings = bench.folder / "home" / ".config" / "crosslogic" / "r2.env"
    new = f"{bench.bucket}-new"
    ran = bench.run("setup-r2.sh", R2_BUCKET=new)
    assert ran.code == 0, ran.out + ran.err
    assert f"{new} created" in ran.out
    assert settings.stat().st_mode & 0o777 == 0o600
    assert list((bench.server.root / new).rglob("*.*")) == []
    # From here on, nothing is in the environment.
    model = write_model(bench.folder / "model")
    ran = bench.upload("--local-dir", model, **NOTHING)
    assert ran.code == 0, ran.err
    assert ran.json["address"].startswith(f"s3://{new}/")


def test_again_changes_nothing_and_keeps_other_lines(bench: Workbench) -> None:
    settings = bench.folder / "r2.env"
    settings.write_text("# mine\nOTHER=1\nR2_BUCKET=old\n")
    first = bench.run("setup-r2.sh", "--env-file", settings)
    assert first.code == 0, first.out + first.err
    text = settings.read_text()
    assert text.startswith("# mine\nOTHER=1\n")
    assert text.count("R2_BUCKET=") == 1
    again = bench.run("setup-r2.sh", "--env-file", settings)
    assert "unchanged" in again.out
    assert settings.read_text() == text


def test_lifecycle_is_only_claimed_where_it_is_there(bench: Workbench) -> None:
    """This server answers 200 when it is asked for its rules, and has none."""
    ran = bench.run("setup-r2.sh", "--no-write")
    assert ran.code == 0
    assert "not set: this store" in ran.out


@pytest.mark.parametrize(
    ("arguments", "changes", "code"),
    [
        ([], {"R2_SECRET_KEY": "wrong"}, REFUSED),
        (["--no-create"], {"R2_BUCKET": "no-such-bucket"}, NOT_FOUND),
        ([], {"R2_ENDPOINT": "http://127.0.0.1:9"}, UNAVAILABLE),
        ([], {"R2_ENDPOINT": None}, SETTINGS),
        ([], {"R2_CDN_DOMAIN": "http://127.0.0.1:9"}, UNAVAILABLE),
    ],
    ids=["secret key", "bucket", "endpoint", "no endpoint", "CDN"],
)
def test_writes_no_settings_that_do_not_work(
    bench: Workbench, arguments: list[str], changes: dict[str, str | None], code: int
) -> None:
    settings = bench.folder / "r2.env"
    ran = bench.run("setup-r2.sh", "--env-file", settings, *arguments, **changes)
    assert ran.code == code, ran.out + ran.err
    assert not settings.exists()


def test_cdn_domain_is_looked_at(bench: Workbench) -> None:
    with CDN(bench.server.root / bench.bucket) as cdn:
        ran = bench.run("setup-r2.sh", "--no-write", R2_CDN_DOMAIN=cdn.url)
    assert ran.code == 0, ran.out + ran.err
    assert "answers with 404, through Cloudflare (MISS)" in ran.out
