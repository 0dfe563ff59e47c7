internal import AgentCore

extension ReconstructedFailure {
    static let accelerators: [ReconstructedFailure] = [
        ReconstructedFailure(
            "GPU memory, 0.11, in the engine core", .gpuOutOfMemory, "EngineCore", "Tried to allocate 50.00 MiB",
            log: """
                (EngineCore_DP0 pid=77) ERROR 10-01 14:39:06 [core.py:708] EngineCore failed to start.
                (EngineCore_DP0 pid=77) ERROR 10-01 14:39:06 [core.py:708] Traceback (most recent call last):
                (EngineCore_DP0 pid=77) ERROR 10-01 14:39:06 [core.py:708]   File "/x/vllm/v1/engine/core.py", line 1
                (EngineCore_DP0 pid=77) ERROR 10-01 14:39:06 [core.py:708] torch.OutOfMemoryError: CUDA out of memory. \
                Tried to allocate 50.00 MiB. GPU 0 has a total capacity of 23.56 GiB of which 21.75 MiB is free.
                (EngineCore_DP0 pid=77) Process EngineCore_DP0:
                (EngineCore_DP0 pid=77) Traceback (most recent call last):
                (EngineCore_DP0 pid=77)   File "/x/multiprocessing/process.py", line 314, in _bootstrap
                (EngineCore_DP0 pid=77) torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 50.00 MiB.
                (APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. \
                Failed core proc(s): {}
                """),
        ReconstructedFailure(
            "GPU memory, 0.9, no prefixes at all", .gpuOutOfMemory, "EngineCore", "CUDA out of memory",
            log: """
                INFO 06-13 11:37:03 [backends.py:173] Compiling a graph for general shape takes 24.53 s
                ERROR 06-13 11:37:08 [core.py:515] EngineCore failed to start.
                ERROR 06-13 11:37:08 [core.py:515] Traceback (most recent call last):
                ERROR 06-13 11:37:08 [core.py:515]   File "/x/vllm/v1/engine/core.py", line 506, in run_engine_core
                ERROR 06-13 11:37:08 [core.py:515] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.
                Traceback (most recent call last):
                  File "/opt/bin/vllm", line 10, in <module>
                RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
                """),
        ReconstructedFailure(
            "GPU memory, 0.6.6, named by PyTorch's rank", .gpuOutOfMemory, "Worker", "CUDA out of memory",
            log: """
                INFO 12-19 09:30:25 model_runner.py:1094] Starting to load model /a...
                [rank0]: Traceback (most recent call last):
                [rank0]:   File "/x/vllm/worker/model_runner.py", line 1, in load_model
                [rank0]: torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 896.00 MiB.
                Traceback (most recent call last):
                  File "/opt/bin/vllm", line 8, in <module>
                RuntimeError: Engine process failed to start. See stack trace for the root cause.
                """),
        ReconstructedFailure(
            "a leftover engine holds the GPU", .gpuBusy, "Worker", "Free memory on device cuda:0",
            log: inWorker(
                "ValueError: Free memory on device cuda:0 (3.1/79.2 GiB) on startup is less than desired GPU memory "
                    + "utilization (0.95, 75.2 GiB). Decrease GPU memory utilization or reduce GPU memory used by other "
                    + "processes.")),
        ReconstructedFailure(
            "no room for any KV cache", .kvCacheTooSmall, "EngineCore", "No available memory",
            log: """
                (EngineCore pid=31) ERROR 11-21 17:50:10 [core.py:1510] Traceback (most recent call last):\r
                (EngineCore pid=31) ERROR 11-21 17:50:10 [core.py:1510] ValueError: No available memory for the cache \
                blocks. Try increasing `gpu_memory_utilization` when initializing the engine.

                """),
        ReconstructedFailure(
            "KV cache below one request", .kvCacheTooSmall, "EngineCore", "max seq len (1048576)",
            log: """
                (EngineCore pid=31) ERROR 11-21 17:50:10 [core.py:1510] ValueError: To serve at least one request with \
                the model's max seq len (1048576), (8.0 GiB KV cache is needed, which is larger than the available KV \
                cache memory (1.0 GiB). Based on the available memory, the estimated maximum model length is 131072.
                """),
        ReconstructedFailure(
            "KV cache below one request, V0", .kvCacheTooSmall, nil, "max seq len (131072)",
            log: """
                Traceback (most recent call last):
                ValueError: The model's max seq len (131072) is larger than the maximum number of tokens that can be \
                stored in KV cache (60192). Try increasing `gpu_memory_utilization`.
                """),
        ReconstructedFailure(
            "old driver", .driver, "Worker", "too old",
            log: inWorker(
                "RuntimeError: The NVIDIA driver on your system is too old (found version 12080). Please update your "
                    + "GPU driver.")),
        ReconstructedFailure(
            "a quantization newer than the GPU", .driver, "Worker", "Minimum capability",
            log: inWorker(
                "ValueError: The quantization method fp8 is not supported for the current GPU. Minimum capability: 89. "
                    + "Current capability: 80.")),
        ReconstructedFailure(
            "another process holds the GPU alone", .gpuBusy, "Worker", "busy or unavailable",
            log: inWorker("RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable")),
        ReconstructedFailure(
            "no GPU", .driver, "APIServer", "Failed to infer device type",
            log: inServer("RuntimeError: Failed to infer device type, please set the environment variable")),
        ReconstructedFailure(
            "NCCL, said in several lines", .nccl, "Worker", "NCCL error in",
            log: """
                (VllmWorker rank=1 pid=410) ERROR 05-19 06:08:46 [multiproc_executor.py:380] Traceback (most recent \
                call last):\r
                (VllmWorker rank=1 pid=410) ERROR 05-19 06:08:46 [multiproc_executor.py:380] \
                torch.distributed.DistBackendError: NCCL error in: ../x/ProcessGroupNCCL.cpp:1691, unhandled system \
                error (run with NCCL_DEBUG=INFO for details), NCCL version 2.20.5\r
                (VllmWorker rank=1 pid=410) ERROR 05-19 06:08:46 [multiproc_executor.py:380] ncclSystemError: System \
                call (e.g. socket, malloc) or external library call failed or device error.
                RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
                """),
        ReconstructedFailure(
            "NCCL's watchdog", .nccl, "Worker", "Watchdog caught collective operation timeout",
            exit: .signalled(signal: 6, coreDumped: true),
            log: """
                [rank1]:[E1121 19:20:08.135729738 ProcessGroupNCCL.cpp:632] [Rank 1] Watchdog caught collective \
                operation timeout: WorkNCCL(SeqNum=5, OpType=ALLREDUCE) ran for 600029 milliseconds before timing out.
                """),
    ]

    static let machines: [ReconstructedFailure] = [
        ReconstructedFailure(
            "host memory, the AWS library's last words without a newline", .hostOutOfMemory, nil, "aws_mem_acquire",
            log: """
                Unhandled OOM encountered in aws_mem_acquire with allocator(EngineCore pid=31) ERROR 11-21 17:50:10 \
                [core.py:1510] Exception: WorkerProc initialization failed due to an exception in a background \
                process. See stack trace for root cause.
                RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
                """),
        ReconstructedFailure(
            "host memory, a C++ abort", .hostOutOfMemory, nil, "std::bad_alloc",
            exit: .signalled(signal: 6, coreDumped: false),
            log: "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"),
        ReconstructedFailure(
            "KV cache larger than the machine's memory", .hostOutOfMemory, "Worker", "requested memory for kv",
            log: inWorker(
                "ValueError: Available memory on node 0 (21.75/23.54 GiB) on startup is less than requested memory for "
                    + "kv (100.0 GiB).")),
        ReconstructedFailure(
            "disk full", .localStorage, "Worker", "No space left on device",
            log: inWorker("OSError: [Errno 28] No space left on device: '/root/.cache/vllm/x'")),
        ReconstructedFailure(
            "a worker killed while loading", .engineDied, "EngineCore", "exit code: -9",
            log: """
                (EngineCore pid=31) ERROR 11-21 17:50:10 [multiproc_executor.py:250] Worker proc VllmWorker-0 died \
                unexpectedly (exit code: -9), shutting down executor.
                (APIServer pid=1) ERROR 11-21 17:50:10 [async_llm.py:906] vllm.v1.engine.exceptions.EngineDeadError: \
                EngineCore encountered an issue. See stack trace (above) for the root cause.
                """),
        ReconstructedFailure(
            "no vLLM", .engineMissing, nil, "command not found", exit: .exited(code: 127),
            log: "bash: line 1: vllm: command not found\n"),
        ReconstructedFailure(
            "vLLM that cannot be executed, silently", .engineMissing, nil, "could not be executed",
            exit: .exited(code: 126), log: ""),
        ReconstructedFailure(
            "an engine core that never said hello", .stalled, "APIServer", "Timed out waiting",
            log: inServer("TimeoutError: Timed out waiting for engine core processes to start. Waited 600 seconds.")),
        ReconstructedFailure(
            "port taken, uvicorn's words up to 0.7.1", .portInUse, "APIServer", "address already in use",
            log: """
                INFO 01-05 10:00:00 api_server.py:712] vLLM API server version 0.7.1
                ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address already in use
                INFO:     Waiting for application shutdown.
                """),
    ]
}
