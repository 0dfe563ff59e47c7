"""A start whose engine processes are forked from one that has imported already."""

from __future__ import annotations

import shutil

import pytest
from starts import Installation


def test_the_first_start_is_a_plain_one_that_records(installation: Installation) -> None:
    first = installation.start()
    assert first.said == ["plain, because no modules are recorded for vLLM 0.32.0+cpu yet; this start records them"]
    assert first.report["core"]["parent"] == first.report["command"]
    assert not first.report["core"]["was_there"]
    installation.start()
    assert "vllm.v1.worker" in installation.modules["engine"]
    assert "vllm.entrypoints.cli.main" in installation.modules["command"]


def test_the_next_one_forks_both_processes_from_what_was_recorded(recorded: Installation) -> None:
    start = recorded.start()
    report = start.report
    assert [line.partition(",")[0] for line in start.said] == ["preload"]
    server = report["core"]["parent"]
    assert server != report["command"]
    assert report["worker"]["parent"] == server
    assert report["core"]["was_there"]
    assert report["worker"]["was_there"]


def test_a_models_class_is_looked_at_by_a_fork_too_and_quietly(recorded: Installation) -> None:
    first = recorded.start()
    inspection = first.report["inspection"]
    assert inspection["parent"] == first.report["core"]["parent"]
    assert inspection["was_there"]
    assert "printed while looking" not in first.output + first.errors


def test_a_look_at_a_models_class_that_fails_fails_as_vllm_says_it(recorded: Installation) -> None:
    start = recorded.start(VLLM_STANDIN_INSPECTION_FAILS="1")
    assert "ModelInspection: once more in a new process, because the forked one ended with 1" in start.said
    assert start.report["inspection"]["error"].startswith("Error raised in subprocess:\nTraceback")
    assert "ValueError: no such class" in start.report["inspection"]["error"]
    assert start.report["exit_code"] == 7


def test_a_registry_of_another_shape_keeps_its_own_way(recorded: Installation) -> None:
    path = recorded.package("model_executor/models/registry.py")
    path.write_text(path.read_text().replace("_run()", "_answer()"))
    start = recorded.start()
    assert start.report["inspection"]["parent"] == start.report["command"]
    assert [line.partition(",")[0] for line in start.said] == ["preload"]


def test_what_a_spawned_process_would_see_a_forked_one_sees(recorded: Installation) -> None:
    report = recorded.start("report", "--more", VLLM_OF_NOW="1").report
    assert report["exit_code"] == 7
    assert report["core"]["name"] == "EngineCore"
    assert report["core"]["argv"] == ["report", "--more"]
    for process in (report["core"], report["worker"]):
        assert process["environment"]["OMP_NUM_THREADS"] == "3"
        assert process["environment"]["VLLM_OF_NOW"] == "1"


@pytest.mark.parametrize("trouble", ["thread1", "child", "cuda"])
def test_a_module_that_makes_forks_unsafe_is_found_and_left_out(recorded: Installation, trouble: str) -> None:
    name = f"vllm.trouble.{trouble}"
    recorded.start(VLLM_STANDIN_IMPORTS=name)
    start = recorded.start()
    report = start.report
    assert recorded.modules["left_out"] == [name]
    assert report["core"]["parent"] not in (report["command"], 1)
    assert report["core"]["was_there"]


def test_a_module_that_opens_a_device_is_found_and_left_out(recorded: Installation) -> None:
    device = recorded.folder / "nvidia0"
    device.touch()
    recorded.change_launcher("cleanliness.py", "/dev/nvidia", str(device.with_name("nvidia")))
    variables = {"VLLM_STANDIN_DEVICE": str(device)}
    recorded.start(VLLM_STANDIN_IMPORTS="vllm.trouble.device", **variables)
    start = recorded.start(**variables)
    assert recorded.modules["left_out"] == ["vllm.trouble.device"]
    assert start.report["core"]["parent"] not in (start.report["command"], 1)


def test_where_leaving_out_does_not_help_processes_are_spawned_and_it_is_said_why(recorded: Installation) -> None:
    names = " ".join(f"vllm.trouble.thread{number}" for number in range(1, 6))
    recorded.start(VLLM_STANDIN_IMPORTS=names)
    start = recorded.start()
    assert "EngineCore: spawned, because the thread stray runs" in start.said
    assert start.report["core"]["parent"] == start.report["command"]
    assert start.report["exit_code"] == 7


def test_a_state_folder_that_cannot_be_used_ends_in_a_plain_start(recorded: Installation) -> None:
    recorded.start()
    list_file = next(recorded.state.glob("modules-*.json"))
    list_file.unlink()
    list_file.mkdir()
    record = recorded.state / list_file.stem.replace("modules", "recorded") / "engine.1"
    record.parent.mkdir(exist_ok=True)
    record.write_text("vllm\n")
    start = recorded.start()
    assert start.said[0].startswith("plain, because ")
    assert start.report["core"]["parent"] == start.report["command"]


def test_a_broken_package_fails_as_it_does_without_the_launcher(recorded: Installation) -> None:
    main = next(recorded.folder.glob("engine/lib/*/site-packages/vllm/entrypoints/cli/main.py"))
    main.write_text("raise ImportError('broken on purpose')\n")
    start = recorded.start()
    assert start.said[-1] == "plain, because ImportError: broken on purpose"
    assert start.code == 1
    assert "broken on purpose" in start.errors


def test_a_fork_server_whose_import_hangs_is_waited_for_once_and_ended(recorded: Installation) -> None:
    recorded.start()
    recorded.list_also("engine", "vllm.trouble.hang")
    recorded.change_launcher("client.py", "PATIENCE = 30.0", "PATIENCE = 2.0")
    start = recorded.start()
    why = "because the fork server has not answered within 2 s"
    assert [line for line in start.said if why in line] == [
        f"ModelInspection: spawned, {why}",
        f"EngineCore: spawned, {why}",
    ]
    assert start.report["core"]["parent"] == start.report["command"]
    assert start.report["exit_code"] == 7


def test_a_launcher_that_is_not_whole_ends_in_a_plain_start(recorded: Installation) -> None:
    recorded.change_launcher("report.py", "import os", "import nothing_of_that_name")
    broken = recorded.start("report", "--more")
    assert broken.said == ["plain, because ModuleNotFoundError: No module named 'nothing_of_that_name'"]
    shutil.rmtree(recorded.launcher / "crosslogic_launcher")
    gone = recorded.start("report", "--more")
    assert gone.said == ["plain, because ModuleNotFoundError: No module named 'crosslogic_launcher'"]
    for start in (broken, gone):
        assert start.report["argv"] == ["report", "--more"]
        assert start.report["core"]["parent"] == start.report["command"]


def test_a_process_that_the_loader_gives_another_library_is_spawned(recorded: Installation) -> None:
    recorded.start()
    library = recorded.folder / "libstray.so"
    library.write_text("")
    start = recorded.start(LD_PRELOAD=str(library))
    assert f"EngineCore: spawned, because LD_PRELOAD brings {library}" in start.said
    assert start.report["core"]["parent"] == start.report["command"]
