"""The bucket, through boto3 with what R2 needs: no trailing checksums, path addressing, the region `auto`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as BotoConnectionError

from crosslogic.operator.outcome import Exit, OperatorError
from crosslogic.operator.settings import StoreSettings

REFUSED = {
    "401", "403", "AccessDenied", "ExpiredToken", "Forbidden", "InvalidAccessKeyId", "InvalidArgument",
    "InvalidToken", "SignatureDoesNotMatch", "Unauthorized",
}  # fmt: skip
ABSENT = {"404", "NoSuchBucket", "NoSuchKey", "NoSuchLifecycleConfiguration", "NoSuchUpload", "NotFound"}


@dataclass(frozen=True)
class Entry:
    key: str
    size: int
    etag: str
    """Without quotes; empty where the store gives none."""


class Store:
    def __init__(self, settings: StoreSettings, connections: int = 16, attempts: int = 3) -> None:
        self.settings = settings
        self.bucket = settings.bucket
        self.client = boto3.session.Session().client(
            "s3",
            endpoint_url=settings.endpoint,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            aws_session_token=settings.session_token or None,
            region_name="auto",
            config=Config(
                # boto3 adds CRC trailers to uploads by itself since 1.36; R2 does not take them.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                max_pool_connections=connections + 4,
                connect_timeout=10,
                read_timeout=60,
                retries={"mode": "standard", "total_max_attempts": attempts},
            ),
        )

    def address(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def list(self, prefix: str) -> list[Entry]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        with self.explained(f"list {self.address(prefix)}"):
            return [
                Entry(item["Key"], item["Size"], item.get("ETag", "").strip('"'))
                for page in pages
                for item in page.get("Contents", [])
            ]

    def head(self, key: str) -> Entry | None:
        """None where there is no such object."""
        try:
            with self.explained(f"look at {self.address(key)}"):
                answer = self.client.head_object(Bucket=self.bucket, Key=key)
        except OperatorError as error:
            if error.code == Exit.NOT_FOUND:
                return None
            raise
        return Entry(key, answer["ContentLength"], answer.get("ETag", "").strip('"'))

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `offset`, fewer at the end; all of it without them."""
        byte_range = {} if length is None else {"Range": f"bytes={offset}-{offset + length - 1}"}
        with self.explained(f"read {self.address(key)}"):
            return self.client.get_object(Bucket=self.bucket, Key=key, **byte_range)["Body"].read()

    @contextlib.contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Turns what boto3 raises into what to do about it."""
        try:
            yield
        except ClientError as error:
            raise self.refusal(what, error) from error
        except NoCredentialsError as error:
            raise OperatorError(Exit.SETTINGS, f"cannot {what}: no credentials") from error
        except (BotoConnectionError, BotoCoreError) as error:
            raise OperatorError(
                Exit.UNAVAILABLE,
                f"cannot {what}: {error}",
                "Check the network and R2_ENDPOINT (https://<account-id>.r2.cloudflarestorage.com, .eu. for the EU).",
            ) from error

    def refusal(self, what: str, error: ClientError) -> OperatorError:
        details: dict[str, Any] = error.response.get("Error", {})
        code = str(details.get("Code", ""))
        said = f"cannot {what}: {code}: {details.get('Message', '')}".rstrip(": ")
        if code == "RequestTimeTooSkewed":
            return OperatorError(Exit.REFUSED, said, "The clock of this machine is wrong; signatures carry the time.")
        if code in REFUSED:
            return OperatorError(
                Exit.REFUSED,
                said,
                f"Check R2_ACCESS_KEY and R2_SECRET_KEY, and that the token may use the bucket {self.bucket}.",
            )
        if code == "NoSuchBucket":
            return OperatorError(
                Exit.NOT_FOUND, said, f"There is no bucket {self.bucket}: set R2_BUCKET, or run scripts/setup-r2.sh."
            )
        if code in ABSENT:
            return OperatorError(Exit.NOT_FOUND, said)
        return OperatorError(Exit.TRY_AGAIN, said, "Run it again; it continues where it stopped.")
