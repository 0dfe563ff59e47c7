"""A real S3 server on loopback (rclone): it checks signatures, so wrong credentials fail as they do elsewhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from crosslogic.canaries import Canaries
from crosslogic.part import Part

BUCKET = "crosslogic-models"


class S3Server:
    def __init__(
        self, rclone: Path, folder: Path, log: Path, canaries: Canaries, megabytes_per_second: float | None = None
    ) -> None:
        self.rclone = rclone
        self.access_key = canaries.new("R2 access key", 20)
        self.secret_key = canaries.new("R2 secret key", 40)
        folder.mkdir()
        options = {
            "RCLONE_CONFIG": "/dev/null",
            # In the environment, because command lines are readable by everyone. A list in CSV, hence the quotes.
            "RCLONE_AUTH_KEY": f'"{self.access_key},{self.secret_key}"',
            "RCLONE_VFS_CACHE_MODE": "off",
            "RCLONE_VFS_READ_CHUNK_SIZE": "0",
            "RCLONE_VFS_FAST_FINGERPRINT": "true",
            "RCLONE_DIR_CACHE_TIME": "1s",
            "RCLONE_POLL_INTERVAL": "0",
        }
        if megabytes_per_second:
            options["RCLONE_BWLIMIT"] = f"{megabytes_per_second}M"
        # By default rclone hashes the whole object on every GET.
        command = [rclone, "serve", "s3", "--addr", "127.0.0.1:0", "--etag-hash", "", folder]
        self.part = Part("S3 server", command, log, {"PATH": os.environ["PATH"], "HOME": str(folder), **options})
        self.endpoint = self.part.wait_for_line(r"Starting s3 server on \[(http://[^/]+)/\]", 15)[1]

    def upload(self, folder: Path, prefix: str) -> None:
        """Over the wire and signed, by the same program as a client. Makes the bucket where it is missing."""
        environment = {
            "PATH": os.environ["PATH"],
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_STORE_TYPE": "s3",
            "RCLONE_CONFIG_STORE_PROVIDER": "Rclone",
            "RCLONE_CONFIG_STORE_ENDPOINT": self.endpoint,
            "RCLONE_CONFIG_STORE_ACCESS_KEY_ID": self.access_key,
            "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": self.secret_key,
        }
        subprocess.run(
            [self.rclone, "copy", "--quiet", "--transfers", "8", folder, f"store:{BUCKET}/{prefix}"],
            env=environment,
            check=True,
            timeout=120,
        )

    def stop(self) -> None:
        self.part.stop(5)
