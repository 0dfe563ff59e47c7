"""`scripts/upload-model-to-r2.py`: only whole models, only safetensors, and what arrived is what was sent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from workbench import INDEX, MODEL, Workbench, shard_name, write_model

UNSOUND, NOT_FOUND, UNAVAILABLE, REFUSED, SETTINGS = 65, 66, 69, 77, 78


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def actions(report: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {file["name"]: file["action"] for file in report["files"]}


def test_uploads_every_file_and_verifies_it(bench: Workbench) -> None:
    model = write_model(bench.folder / "model")
    ran = bench.upload("--local-dir", model)
    assert ran.code == 0, ran.err
    assert contents(bench.stored) == contents(model)
    assert set(actions(ran.json).values()) == {"uploaded"}
    assert all(file["verified"] for file in ran.json["files"])
    assert ran.json["in_store"]["complete"]
    assert ran.json["in_store"]["tensors"] == 6


def test_sends_what_makes_the_model_look_complete_last(bench: Workbench) -> None:
    ran = bench.upload("--local-dir", write_model(bench.folder / "model"))
    names = list(actions(ran.json))
    assert names[:3] == [shard_name(1), shard_name(2), shard_name(3)]
    assert names[-2:] == [INDEX, "config.json"]


def test_sends_nothing_that_is_there_and_only_what_has_changed(bench: Workbench) -> None:
    model = write_model(bench.folder / "model")
    bench.store_model(model)
    changed = model / "tokenizer.json"
    changed.write_text(changed.read_text().replace("test", "tesT"))
    assert bench.upload("--local-dir", model).json["files"]
    again = bench.upload("--local-dir", model)
    assert again.code == 0, again.err
    assert set(actions(again.json).values()) == {"present"}
    first = actions(bench.ran[0].json)
    assert {name for name, action in first.items() if action == "uploaded"} == {"tokenizer.json"}


def test_shard_of_the_same_size_with_another_content_is_sent_again(bench: Workbench) -> None:
    """Sizes alone prove nothing: another revision of a model has shards of the same sizes."""
    bench.store_model(write_model(bench.folder / "old", seed=1))
    new = write_model(bench.folder / "new", seed=2)
    ran = bench.upload("--local-dir", new)
    assert {actions(ran.json)[shard_name(number)] for number in (1, 2, 3)} == {"uploaded"}
    assert contents(bench.stored) == contents(new)


def test_dry_run_sends_nothing(bench: Workbench) -> None:
    ran = bench.upload("--local-dir", write_model(bench.folder / "model"), "--dry-run")
    assert ran.code == 0, ran.err
    assert set(actions(ran.json).values()) == {"would upload"}
    assert not bench.stored.exists()


def test_weights_that_are_no_safetensors_are_left_out_and_named(bench: Workbench) -> None:
    model = write_model(bench.folder / "model")
    for name in ("pytorch_model.bin", "consolidated.00.pth", "model.gguf", "training_args.pt"):
        (model / name).write_bytes(b"no safetensors")
    (model / "original").mkdir()
    shutil.copy(model / shard_name(1), model / "original" / "part.safetensors")
    ran = bench.upload("--local-dir", model)
    assert ran.code == 0, ran.err
    assert len(ran.json["left_out"]) == 5
    assert all(name in ran.err for name in ran.json["left_out"])
    assert not {path.name for path in bench.stored.rglob("*")} & {"pytorch_model.bin", "model.gguf", "part.safetensors"}


def test_local_weights_beside_the_index_are_not_sent(bench: Workbench) -> None:
    """vLLM would stream them on top of the model."""
    model = write_model(bench.folder / "model")
    shutil.copy(model / shard_name(1), model / "consolidated.safetensors")
    ran = bench.upload("--local-dir", model)
    assert ran.code == 0, ran.err
    assert "consolidated.safetensors" in ran.json["left_out"]
    assert not (bench.stored / "consolidated.safetensors").exists()


@pytest.mark.parametrize("remove", [False, True], ids=["named", "removed when asked"])
def test_stray_weights_in_the_bucket(bench: Workbench, remove: bool) -> None:
    old = write_model(bench.folder / "old", shards=1)
    (old / shard_name(1, 1)).rename(old / "model.safetensors")
    (old / INDEX).unlink()
    bench.store_model(old)
    ran = bench.upload("--local-dir", write_model(bench.folder / "new"), *(["--delete-stray"] if remove else []))
    assert ran.code == (0 if remove else UNSOUND)
    assert (ran.findings("in_store") == set()) == remove
    assert (bench.stored / "model.safetensors").exists() != remove
    assert "model.safetensors" in ran.err


def missing_shard(model: Path) -> None:
    (model / shard_name(2)).unlink()


def truncated_shard(model: Path) -> None:
    path = model / shard_name(2)
    path.write_bytes(path.read_bytes()[:-1000])


def shard_with_another_header(model: Path) -> None:
    path = model / shard_name(3)
    path.write_bytes(path.read_bytes().replace(b"layers.3.a", b"layers.9.a"))


def index_of_a_file_there_is_none_of(model: Path) -> None:
    index = json.loads((model / INDEX).read_text())
    index["weight_map"]["layers.4.a"] = "model-00004-of-00004.safetensors"
    (model / INDEX).write_text(json.dumps(index))


def index_that_is_no_json(model: Path) -> None:
    (model / INDEX).write_text('{"weight_map": {')


def page_of_html_as_a_shard(model: Path) -> None:
    (model / shard_name(1)).write_text("<html>rate limited</html>")


def git_lfs_pointer_as_a_shard(model: Path) -> None:
    (model / shard_name(1)).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n")


def only_pytorch_weights(model: Path) -> None:
    for path in [*model.glob("*.safetensors"), model / INDEX]:
        path.unlink()
    (model / "pytorch_model.bin").write_bytes(b"pickle")


def no_config(model: Path) -> None:
    (model / "config.json").unlink()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (missing_shard, "missing_shard"),
        (truncated_shard, "bad_shard"),
        (shard_with_another_header, "missing_tensor"),
        (index_of_a_file_there_is_none_of, "missing_shard"),
        (index_that_is_no_json, "bad_index"),
        (page_of_html_as_a_shard, "bad_shard"),
        (git_lfs_pointer_as_a_shard, "bad_shard"),
        (only_pytorch_weights, "no_safetensors"),
        (no_config, "no_config"),
    ],
    ids=lambda value: getattr(value, "__name__", "").replace("_", " "),
)
def test_broken_model_is_refused_before_a_byte_is_sent(bench: Workbench, damage, code: str) -> None:
    model = write_model(bench.folder / "model")
    damage(model)
    ran = bench.upload("--local-dir", model)
    assert ran.code == UNSOUND, ran.err
    assert code in ran.findings()
    assert "nothing was sent" in ran.err
    assert not bench.stored.exists()


def test_numbered_shards_without_an_index_must_all_be_there(bench: Workbench) -> None:
    model = write_model(bench.folder / "model")
    (model / INDEX).unlink()
    (model / shard_name(3)).unlink()
    assert bench.upload("--local-dir", model).code == UNSOUND


def test_rank_files_are_known_and_a_gap_is_found(bench: Workbench) -> None:
    model = write_model(bench.folder / "model", shards=4)
    (model / INDEX).unlink()
    for number, (rank, part) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)], 1):
        (model / shard_name(number, 4)).rename(model / f"model-rank-{rank}-part-{part}.safetensors")
    whole = bench.upload("--local-dir", model)
    assert whole.code == 0, whole.err
    assert whole.json["checkpoint"]["layout"] == "ranks"
    assert "runai_streamer_sharded" in whole.err
    (model / "model-rank-0-part-0.safetensors").unlink()
    assert bench.upload("--local-dir", model, "--as", "acme/gap").findings() >= {"missing_shard"}


def test_model_comes_out_of_the_hub_cache(bench: Workbench) -> None:
    model = write_model(bench.folder / "model")
    hub_cache(bench.folder / "hf", model)
    ran = bench.upload(HF_HOME=str(bench.folder / "hf"))
    assert ran.code == 0, ran.err
    assert contents(bench.stored) == contents(model)


def test_half_downloaded_model_in_the_hub_cache_is_refused(bench: Workbench) -> None:
    model = write_model(bench.folder / "model")
    missing_shard(model)
    hub_cache(bench.folder / "hf", model)
    ran = bench.upload(HF_HOME=str(bench.folder / "hf"))
    assert ran.code == UNSOUND
    assert ran.findings() == {"missing_shard"}


def hub_cache(home: Path, model: Path) -> None:
    """As huggingface_hub lays it out: blobs, and snapshots made of links to them."""
    repository = home / "hub" / f"models--{MODEL.replace('/', '--')}"
    snapshot = repository / "snapshots" / ("c0ffee" + "0" * 34)
    for folder in (repository / "blobs", repository / "refs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(snapshot.name)
    for number, path in enumerate(sorted(model.iterdir())):
        blob = repository / "blobs" / f"{number:040x}"
        shutil.copy(path, blob)
        (snapshot / path.name).symlink_to(f"../../blobs/{blob.name}")


def test_model_that_is_nowhere(bench: Workbench) -> None:
    assert bench.upload("--local-dir", bench.folder / "nowhere").code == NOT_FOUND
    offline = bench.upload(HF_HOME=str(bench.folder / "hf"))
    assert offline.code == UNAVAILABLE
    assert "--local-dir" in offline.err


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"R2_SECRET_KEY": "wrong"}, REFUSED, "R2_SECRET_KEY"),
        ({"R2_ACCESS_KEY": "wrong"}, REFUSED, "R2_ACCESS_KEY"),
        ({"R2_BUCKET": "no-such-bucket"}, NOT_FOUND, "setup-r2.sh"),
        ({"R2_ENDPOINT": "http://127.0.0.1:9"}, UNAVAILABLE, "R2_ENDPOINT"),
        ({"R2_ENDPOINT": "https://x.test/bucket"}, SETTINGS, "R2_BUCKET"),
        ({"R2_SECRET_KEY": None, "R2_BUCKET": None}, SETTINGS, "R2_BUCKET, R2_SECRET_KEY"),
    ],
    ids=["secret key", "access key", "bucket", "endpoint", "bucket in the endpoint", "settings missing"],
)
def test_wrong_settings_are_named_with_what_to_do(
    bench: Workbench, changes: dict[str, str | None], code: int, says: str
) -> None:
    ran = bench.upload("--local-dir", write_model(bench.folder / "model"), **changes)
    assert ran.code == code, ran.err
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_settings_of_the_aws_tools_are_understood(bench: Workbench) -> None:
    ran = bench.upload(
        "--local-dir",
        write_model(bench.folder / "model"),
        "--dry-run",
        R2_ACCESS_KEY=None,
        R2_SECRET_KEY=None,
        AWS_ACCESS_KEY_ID=bench.server.access_key,
        AWS_SECRET_ACCESS_KEY=bench.server.secret_key,
    )
    assert ran.code == 0, ran.err
