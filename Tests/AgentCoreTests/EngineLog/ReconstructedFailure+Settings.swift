internal import AgentCore

extension ReconstructedFailure {
    static let stores: [ReconstructedFailure] = [
        ReconstructedFailure(
            "no credentials", .credentialsMissing, "APIServer", "Unable to locate credentials",
            log: inServer("botocore.exceptions.NoCredentialsError: Unable to locate credentials")),
        ReconstructedFailure(
            "unknown access key", .credentialsRejected, "APIServer", "InvalidAccessKeyId",
            log: inServer(
                "botocore.exceptions.ClientError: An error occurred (InvalidAccessKeyId) when calling the "
                    + "ListObjectsV2 operation: The Access Key Id you provided does not exist in our records.")),
        ReconstructedFailure(
            "a clock that is wrong", .clockSkewed, "APIServer", "RequestTimeTooSkewed",
            log: inServer(
                "botocore.exceptions.ClientError: An error occurred (RequestTimeTooSkewed) when calling the "
                    + "ListObjectsV2 operation: The difference between the request time and the server's time is too "
                    + "large.")),
        ReconstructedFailure(
            "a store that does not answer", .endpointStalled, "APIServer", "Read timeout on endpoint URL",
            log: inServer(
                "botocore.exceptions.ReadTimeoutError: Read timeout on endpoint URL: \"http://127.0.0.1:9/models\"")),
        ReconstructedFailure(
            "unreadable weights, 0.16's words", .weightsUnreadable, "Worker", "runai_response",
            log: inWorker(
                "ValueError: Could not receive runai_response from libstreamer due to: b'File access error'")),
        ReconstructedFailure(
            "hundreds of failed reads", .weightsUnreadable, "Worker", "(Failed to download s3 object of request 1 :",
            log: String(
                repeating: "\u{1B}[m\u{1B}[0;31m[2026-11-21 18:43:24.666] [ERROR  ] [1 2] [client.cc:364 @ f] "
                    + "Failed to download s3 object of request 1 :  (http_status=500)\n", count: 558)
                + inWorker("ValueError: Could not receive response from libstreamer due to: b'File access error'")),
        ReconstructedFailure(
            "unreadable weights, the request itself refused", .weightsUnreadable, "Worker", "runai_request",
            log: inWorker("Exception: Could not send runai_request to libstreamer due to: b'File access error'")),
        ReconstructedFailure(
            "a gated model of the hub", .credentialsRejected, "APIServer", "gated repo",
            log: inServer(
                "OSError: You are trying to access a gated repo.\n"
                    + "Make sure to have access to it at https://huggingface.co/meta-llama/Llama-3.1-8B.")),
        ReconstructedFailure(
            "no configuration under the address", .modelMissing, "APIServer", "Can't load the configuration",
            log: inServer("OSError: Can't load the configuration of 's3://models/llama'. If you were trying to load it")
        ),
        ReconstructedFailure(
            "a tensor of another shape", .weightsFormat, "Worker", "exceeds dimension size",
            log: inWorker("RuntimeError: start (0) + length (1152) exceeds dimension size (1024).")),
        ReconstructedFailure(
            "weights missing, said by the default loader", .weightsIncomplete, "Worker", "not initialized",
            log: inWorker(
                "ValueError: Following weights were not initialized from checkpoint: {'model.layers.3.mlp.x'}")),
    ]

    static let settings: [ReconstructedFailure] = [
        ReconstructedFailure(
            "no streamer", .streamerMissing, "APIServer", "runai_model_streamer",
            log: inServer("ModuleNotFoundError: No module named 'runai_model_streamer'")),
        ReconstructedFailure(
            "no S3 part of the streamer", .streamerMissing, "APIServer", "S3 files module not found",
            log: inServer("ImportError: S3 files module not found. Please install the required package.")),
        ReconstructedFailure(
            "limit below the largest tensor", .memoryLimitTooSmall, "Worker", "2608",
            log: inWorker(
                "runai_model_streamer.libstreamer.RunaiStreamerMemoryLimitException: Memory limit supplied: 1000 "
                    + "cannot be smaller than: 2608")),
        ReconstructedFailure(
            "loader settings that are no JSON", .badLoaderConfig, "APIServer", "cannot be converted",
            exit: .exited(code: 2),
            log: """
                usage: vllm serve [model_tag] [options]
                vllm serve: error: argument --model-loader-extra-config: Value {concurrency:32} cannot be converted \
                to <function loads at 0x7f>.
                """),
        ReconstructedFailure(
            "load format without object store", .badLoaderConfig, "APIServer", "must be 'modelexpress'",
            log: inServer(
                "pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig\n"
                    + "  Value error, To load a model from object storage (S3/GCS/Azure), 'load_format' must be "
                    + "'modelexpress', 'runai_streamer' or 'runai_streamer_sharded', but got 'dummy'")),
        ReconstructedFailure(
            "longer than the model", .badModelConfig, "APIServer", "User-specified max_model_len",
            log: inServer(
                "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
                    + "  Value error, User-specified max_model_len (1048576) is greater than the derived max_model_len "
                    + "(max_position_embeddings=131072)")),
        ReconstructedFailure(
            "a tokenizer that this vLLM does not know", .badModelConfig, "APIServer", "Tokenizer class",
            log: inServer("ValueError: Tokenizer class NewTokenizer does not exist or is not currently imported.")),
        ReconstructedFailure(
            "no compiler for Triton", .toolchainMissing, "Worker", "C compiler",
            log: inWorker("RuntimeError: Failed to find C compiler. Please specify via CC environment variable.")),
        ReconstructedFailure(
            "no nvcc for Inductor", .toolchainMissing, "Worker", "nvcc",
            log: inWorker(
                "torch._inductor.exc.InductorError: FileNotFoundError: [Errno 2] No such file or directory: 'nvcc'")),
        ReconstructedFailure(
            "something new", .unknown, "Worker", "FluxCapacitorError: 1.21 GW",
            log: inWorker("vllm.flux.FluxCapacitorError: 1.21 GW")),
    ]

    /// What happens to an engine that serves.
    static let runs: [ReconstructedFailure] = [
        ReconstructedFailure(
            "mistakes of clients are not the cause", .gpuOutOfMemory, "EngineCore", "CUDA out of memory",
            exit: .exited(code: 0),
            log: """
                (APIServer pid=1) INFO:     Application startup complete.
                (APIServer pid=1) ERROR 05-05 12:00:00 [serving_chat.py:1] Error in preprocessing prompt inputs\r
                (APIServer pid=1) ERROR 05-05 12:00:00 [serving_chat.py:1] Traceback (most recent call last):\r
                (APIServer pid=1) ERROR 05-05 12:00:00 [serving_chat.py:1] jinja2.exceptions.TemplateError: no
                (APIServer pid=1) ERROR:    Exception in ASGI application
                Traceback (most recent call last):
                  File "/x/uvicorn/protocols/http/httptools_impl.py", line 1, in run_asgi
                OSError: [Errno 98] Address already in use

                During handling of the above exception, another exception occurred:

                Traceback (most recent call last):
                  File "/x/starlette/x.py", line 1, in run_asgi
                botocore.exceptions.NoCredentialsError: Unable to locate credentials
                (EngineCore pid=104) ERROR 05-05 12:36:59 [core.py:1131] EngineCore encountered a fatal error.
                (EngineCore pid=104) ERROR 05-05 12:36:59 [core.py:1131] Traceback (most recent call last):
                (EngineCore pid=104) ERROR 05-05 12:36:59 [core.py:1131] torch.OutOfMemoryError: CUDA out of memory.
                (APIServer pid=1) ERROR 05-05 12:36:59 [x.py:1] vllm.v1.engine.exceptions.EngineDeadError: EngineCore \
                encountered an issue. See stack trace (above) for the root cause.
                """),
        ReconstructedFailure(
            "destructors at the end are not the cause", .engineDied, nil, "SIGKILL",
            exit: .signalled(signal: 9, coreDumped: false),
            log: """
                (Worker pid=3) Exception ignored in: <function NCCLCommunicator.__del__ at 0x7f4d8c3212d0>
                (Worker pid=3) Traceback (most recent call last):
                (Worker pid=3)   File "/x/vllm/pynccl.py", line 264, in __del__
                (Worker pid=3) AttributeError: 'NCCLCommunicator' object has no attribute 'comm'
                """),
        ReconstructedFailure(
            "the warning about descriptors is not the cause", .engineDied, nil, "gives no reason",
            exit: .exited(code: 0),
            log: """
                (APIServer pid=1) WARNING 11-21 17:48:21 [system_utils.py:255] Found ulimit of 20000. This can cause \
                fd limit errors like `OSError: [Errno 24] Too many open files`. Consider increasing with ulimit -n
                """),
        ReconstructedFailure(
            "an earlier start in the same log is not this one", .portInUse, "APIServer", "Address already in use",
            log: inWorker("torch.OutOfMemoryError: CUDA out of memory.")
                + "(APIServer pid=9) INFO 11-21 18:00:00 [x.py:1] vLLM server version 0.32.0, serving model m\n"
                + inServer("OSError: [Errno 98] Address already in use")),
    ]
}
