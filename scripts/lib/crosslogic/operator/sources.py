"""Where the files of a model come from: a folder, or the Hugging Face Hub with its cache."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from crosslogic.operator.checkpoint import OTHER_WEIGHTS, Checkpoint, HeaderError, examine
from crosslogic.operator.outcome import Exit, OperatorError

# The glob patterns that say the same to the Hub as OTHER_WEIGHTS says here, so that they are not even downloaded.
HUB_IGNORES = [
    "*.bin", "*.pt", "*.pth", "*.ckpt", "*.gguf", "*.ggml", "*.h5", "*.msgpack", "*.onnx", "*.onnx_data", "*.ot",
    "*.tflite", "*.mlmodel", "*.npz", "*.tensors", "*.pdparams", "original/*", "consolidated*.safetensors",
]  # fmt: skip
NO_PART_OF_A_MODEL = [".git/*", ".gitattributes", ".gitignore", ".cache/*", "*.lock", "*.incomplete", ".DS_Store"]


@dataclass
class Source:
    folder: Path
    files: dict[str, Path]
    """What goes to the store, by path below the model."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Path to reason."""
    checkpoint: Checkpoint = field(default_factory=Checkpoint)

    @property
    def total_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


def from_folder(folder: Path) -> Source:
    """Decides what to upload and examines it. Raises where the folder is not there; unsound models are returned."""
    if not folder.is_dir():
        raise OperatorError(Exit.NOT_FOUND, f"there is no folder {folder}")
    source = Source(folder, {})
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # The Hub's cache is made of links to blobs, so links are followed.
        if not path.is_file() or any(fnmatch(name, pattern) for pattern in NO_PART_OF_A_MODEL):
            continue
        if OTHER_WEIGHTS.fullmatch(name):
            source.left_out[name] = "not safetensors: the streamer does not read it"
        elif name.endswith(".safetensors") and "/" in name:
            source.left_out[name] = "weights in a subfolder: vLLM streams the top level only"
        else:
            source.files[name] = path
    sizes = {name: path.stat().st_size for name, path in source.files.items()}
    found = source.checkpoint = examine(sizes, lambda name, offset, length: read(source.files[name], offset, length))
    leave_strays_out(source)
    open_with_safetensors(source, found)
    return source


def read(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def leave_strays_out(source: Source) -> None:
    """In a folder they do no harm, so nobody has to remove them: they are just not uploaded."""
    found = source.checkpoint
    for name in found.stray:
        source.files.pop(name)
        source.left_out[name] = "no part of the model: it would be streamed on top of it"
    found.findings = [finding for finding in found.findings if finding.code != "stray_weights"]


def open_with_safetensors(source: Source, found: Checkpoint) -> None:
    """The format's own library has the last word on each shard: overlaps, gaps, types."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - in the operator's environment only

    for shard in found.shards:
        try:
            with safe_open(source.files[shard.name], framework="numpy") as opened:
                if set(opened.keys()) != set(shard.tensors):
                    raise HeaderError("other tensors than its header lists")
        except (SafetensorError, HeaderError) as error:
            found.fatal("bad_shard", f"{shard.name}: {error}", "Get this file again from where the model came from.")


def from_hub(repository: str, revision: str | None) -> Source:
    """Downloads what is missing into the Hub's cache (HF_HOME); resumes. Offline, takes what is there. HF_TOKEN."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import (  # noqa: PLC0415
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        folder = snapshot_download(repository, revision=revision, ignore_patterns=HUB_IGNORES)
    except HFValidationError as error:
        raise OperatorError(Exit.USAGE, f"{repository} is no Hub model: {error}") from error
    except GatedRepoError as error:
        raise OperatorError(
            Exit.REFUSED,
            f"{repository} is gated",
            f"Accept its licence on https://huggingface.co/{repository} and set HF_TOKEN to a token of that account.",
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise OperatorError(
            Exit.NOT_FOUND,
            f"the Hub has no {repository}" + (f" at revision {revision}" if revision else ""),
            "A private model needs HF_TOKEN; a folder goes with --local-dir.",
        ) from error
    except LocalEntryNotFoundError as error:
        offline = "HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE") else "the Hub cannot be reached"
        raise OperatorError(
            Exit.UNAVAILABLE,
            f"{repository} is not in the Hub's cache, and {offline}",
            "Download it elsewhere and give the folder with --local-dir.",
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise OperatorError(
            Exit.TRY_AGAIN, f"the download of {repository} broke off: {error}", "Run it again; it continues."
        ) from error
    return from_folder(Path(folder))
