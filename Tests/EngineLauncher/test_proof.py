"""What a process must not have before it may be forked, and what a forked one takes over."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from crosslogic_launcher import cleanliness, environment, messages, openmp, standby


def test_an_open_device_is_a_user_of_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanliness, "DEVICE", str(tmp_path / "nvidia"))
    assert cleanliness.gpu_in_use() is None
    device = tmp_path / "nvidia0"
    with device.open("w"):
        assert cleanliness.gpu_in_use() == f"{device} is open"
    assert cleanliness.gpu_in_use() is None


def test_mapped_memory_of_a_device_is_a_user_of_a_gpu_after_its_descriptor_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanliness, "DEVICE", str(tmp_path / "nvidia"))
    device = tmp_path / "nvidia0"
    device.write_bytes(bytes(mmap.PAGESIZE))
    library = ctypes.CDLL(None)
    library.mmap.restype = ctypes.c_void_p
    descriptor = os.open(device, os.O_RDONLY)
    address = library.mmap(None, ctypes.c_size_t(mmap.PAGESIZE), 1, 1, descriptor, ctypes.c_long(0))
    os.close(descriptor)
    try:
        assert cleanliness.gpu_in_use() == f"memory of {cleanliness.DEVICE}* is mapped"
    finally:
        library.munmap(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE))
    assert cleanliness.gpu_in_use() is None


def test_a_go_that_drips_is_given_up_in_the_time_of_one_that_stands_still() -> None:
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        with contextlib.suppress(BrokenPipeError):
            while not stop.wait(0.05):
                ours.send(b"A")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        began = time.monotonic()
        with theirs, pytest.raises(TimeoutError):
            standby.read(theirs, 0.3)
        assert time.monotonic() - began < 5
    finally:
        stop.set()
        thread.join()
        ours.close()


def test_more_descriptors_than_fit_a_message_are_refused_before_any_is_lost() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        messages.send(ours, {}, [0] * messages.DESCRIPTORS)
        _, received = messages.receive(theirs) or ({}, [])
        assert len(received) == messages.DESCRIPTORS
        for descriptor in received:
            os.close(descriptor)
        with pytest.raises(ValueError, match="65 descriptors"):
            messages.send(ours, {}, [0] * (messages.DESCRIPTORS + 1))


def test_a_thread_of_python_is_named() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="somebody's")
    thread.start()
    try:
        assert "somebody's" in (cleanliness.stray_thread() or "")
    finally:
        stop.set()
        thread.join()


def test_a_native_thread_is_counted() -> None:
    """One that no module of Python's knows of, as a library makes it."""
    program = (
        "import _thread, sys; sys.path.insert(0, sys.argv[1]); from crosslogic_launcher import cleanliness;"
        "lock = _thread.allocate_lock(); lock.acquire(); print(cleanliness.stray_thread());"
        "_thread.start_new_thread(lock.acquire, ()); print(cleanliness.stray_thread())"
    )
    launcher = str(Path(cleanliness.__file__).parent.parent)
    ran = subprocess.run([sys.executable, "-c", program, launcher], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["None", "1 native threads run, 0 of them OpenBLAS's"]


@pytest.mark.parametrize(
    ("variables", "cpus"),
    [
        ({"OMP_PLACES": "{0,2,3}", "OMP_PROC_BIND": "true"}, {0, 2, 3}),
        ({"OMP_PLACES": "{0},{1}", "OMP_PROC_BIND": "true"}, set()),
        ({"OMP_PLACES": "{0,2,3}"}, set()),
        ({}, set()),
    ],
)
def test_one_place_for_all_threads_is_a_binding(variables: dict[str, str], cpus: set[int]) -> None:
    assert openmp.bound_cpus(variables) == cpus


@pytest.mark.parametrize(
    ("name", "is_late"),
    [
        ("AWS_SECRET_ACCESS_KEY", True),
        ("RUNAI_STREAMER_CONCURRENCY", True),
        ("RUNAI_STREAMER_LOG_LEVEL", False),
        ("HF_TOKEN", True),
        ("HF_TOKEN_PATH", False),
        ("TOKENIZERS_PARALLELISM", False),
        ("VLLM_API_KEY", True),
        ("VLLM_USE_V1", False),
        ("OMP_NUM_THREADS", False),
        ("LD_PRELOAD", False),
        ("CUDA_VISIBLE_DEVICES", False),
        ("PYTHONDONTWRITEBYTECODE", False),
        ("INVOCATION_ID", True),
        ("ANYTHING_ELSE", False),
    ],
)
def test_what_is_not_known_to_be_read_late_counts_as_read_by_an_import(name: str, is_late: bool) -> None:
    assert environment.is_late(name) is is_late
    differs = environment.difference({}, {name: "1"})
    assert differs == (None if is_late else name)
