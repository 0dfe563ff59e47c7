"""`scripts/list-models.sh`: what is there, and what is missing."""

from __future__ import annotations

from workbench import Workbench, shard_name, write_model

UNSOUND, NOT_FOUND = 65, 66


def test_complete_and_broken_models(bench: Workbench) -> None:
    whole = write_model(bench.folder / "whole")
    bench.store_model(whole, "acme/whole")
    missing = write_model(bench.folder / "missing")
    (missing / shard_name(2)).unlink()
    bench.store_model(missing, "acme/missing")
    short = write_model(bench.folder / "short")
    (short / shard_name(3)).write_bytes((short / shard_name(3)).read_bytes()[:-1])
    bench.store_model(short, "deep/er/short")
    stray = write_model(bench.folder / "stray")
    (stray / "consolidated.safetensors").write_bytes((stray / shard_name(1)).read_bytes())
    bench.store_model(stray, "acme/stray")

    ran = bench.run("list-models.sh", "--json")
    assert ran.code == UNSOUND
    found = {model["model"]: model for model in ran.json}
    assert {name: model["complete"] for name, model in found.items()} == {
        "acme/whole": True,
        "acme/missing": False,
        "deep/er/short": False,
        "acme/stray": False,
    }
    assert found["acme/whole"]["bytes"] == sum(path.stat().st_size for path in whole.iterdir())
    assert (found["acme/missing"]["shards"], found["acme/missing"]["expected_shards"]) == (2, 3)
    assert [finding["code"] for finding in found["acme/stray"]["findings"]] == ["stray_weights"]

    table = bench.run("list-models.sh").out
    assert f"{shard_name(2)} is not there" in table
    assert "complete" in table

    only = bench.run("list-models.sh", "acme/whole", "--json")
    assert only.code == 0
    assert [model["model"] for model in only.json] == ["acme/whole"]


def test_prefix_is_a_folder_and_not_the_beginning_of_a_name(bench: Workbench) -> None:
    bench.store_model(write_model(bench.folder / "model"), "acme/small-2")
    assert bench.run("list-models.sh", "acme/small", "--json").code == NOT_FOUND


def test_empty_bucket_is_no_error(bench: Workbench) -> None:
    ran = bench.run("list-models.sh", "--json")
    assert ran.code == 0
    assert ran.json == []
