extension FailureClass {
    /// Whether the same assignment can succeed when tried again. Causes that come with the load (memory, processes,
    /// the network) can pass; what a setting, a file or a machine is, is not changed by waiting.
    package var retryPolicy: RetryPolicy {
        switch self {
        case .credentialsMissing, .credentialsRejected, .bucketMissing, .modelMissing, .weightsFormat,
            .weightsIncomplete, .streamerMissing, .badFlag, .badLoaderConfig, .badModelConfig,
            .kvCacheTooSmall, .driver, .engineMissing, .toolchainMissing, .engineUnkillable, .engineLog:
            .final
        // A machine's clock is often set only after it has booted.
        case .clockSkewed, .endpointUnreachable, .endpointStalled, .gpuOutOfMemory, .gpuBusy, .nccl, .portInUse,
            .engineDied, .localStorage, .stalled, .canaryFailed, .unknown:
            .retry
        case .memoryLimitTooSmall, .hostOutOfMemory, .weightsUnreadable: .retryChanged
        }
    }

    /// What happened, as a sentence for humans.
    package var summary: String {
        switch self {
        case .credentialsMissing: "The engine had no credentials for the object store."
        case .credentialsRejected: "The object store refused the credentials."
        case .clockSkewed: "This machine's clock is wrong, so the object store refuses its signatures."
        case .bucketMissing: "The bucket does not exist at this endpoint."
        case .modelMissing: "There is no model under this address."
        case .endpointUnreachable: "The object store could not be reached."
        case .endpointStalled: "The object store accepted the connection and did not answer."
        case .weightsUnreadable: "The weights could not be read from the object store."
        case .weightsFormat: "The weights are not in a form that this loader and this model can use."
        case .weightsIncomplete: "Weights are missing or cut short."
        case .streamerMissing: "The Run:ai Model Streamer is not installed."
        case .badFlag: "vLLM does not know one of its arguments or rejects its value."
        case .badLoaderConfig: "The settings of the weights' loader are not accepted."
        case .badModelConfig: "The model cannot be run with these settings."
        case .memoryLimitTooSmall: "The streamer's memory limit is smaller than the largest tensor."
        case .hostOutOfMemory: "The machine ran out of memory."
        case .gpuOutOfMemory: "The GPU ran out of memory."
        case .gpuBusy: "Another process holds GPU memory."
        case .kvCacheTooSmall: "The GPU memory left for the KV cache does not hold one request of full length."
        default: summaryOfTheMachine
        }
    }

    private var summaryOfTheMachine: String {
        switch self {
        case .driver: "The NVIDIA driver or the GPU does not fit this build of vLLM."
        case .nccl: "The GPUs could not talk to each other."
        case .portInUse: "Another process listens on the engine's port."
        case .engineMissing: "vLLM could not be executed."
        case .toolchainMissing: "A compiler or library that vLLM needs at run time is not installed."
        case .engineDied: "The engine died."
        case .engineUnkillable: "The kernel cannot end a process of the engine."
        case .engineLog: "The engine's log cannot be followed."
        case .localStorage: "A file could not be written on this machine."
        case .stalled: "The start stood still: neither log, CPU time nor network moved."
        case .canaryFailed: "The engine answers, but not with a completion."
        default: "The engine failed for a reason that is not known."
        }
    }

    /// What to do, in words that fix it.
    package var remedy: String {
        switch self {
        case .credentialsMissing:
            "Put access_key_id and secret_access_key into the assignment's r2 section."
        case .credentialsRejected:
            "Issue a new R2 token with read access to this bucket; check expiry and the machine's clock."
        case .clockSkewed:
            "Set the machine's clock (chronyc makestep, timedatectl set-ntp true); the node tries again."
        case .bucketMissing:
            "Check r2.bucket and r2.endpoint; buckets with a jurisdiction need its endpoint (.eu.r2.cloudflarestorage.com)."
        case .modelMissing:
            "Check model_uri: the prefix must hold config.json, tokenizer and *.safetensors."
        case .endpointUnreachable:
            "Check r2.endpoint (no bucket in it), DNS, firewall and proxy of the node."
        case .endpointStalled:
            "Check the path to the object store; on slow links raise RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS."
        case .weightsUnreadable:
            "Check that the token may read (not only list) the objects and that none is cut short; on slow or unfair links "
                + "raise RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS. RUNAI_STREAMER_LOG_TO_STDERR=1 names the HTTP status."
        case .weightsFormat:
            "Upload the weights as *.safetensors directly under model_uri, only those that belong to this model."
        case .weightsIncomplete:
            "Upload the model again; compare its files with model.safetensors.index.json."
        case .streamerMissing:
            "Install it beside vLLM: pip install 'vllm[runai]' runai-model-streamer-s3."
        case .badFlag:
            "Remove or rename the argument in extra_args: flags come and go between vLLM versions."
        case .badLoaderConfig:
            "Check streamer_concurrency, streamer_memory_limit and --model-loader-extra-config for this vLLM version; "
                + "keep the descriptor limit above 4096."
        case .badModelConfig:
            "Check max_model_len, tensor_parallel_size, dtype and the vLLM version against the model's config.json."
        case .memoryLimitTooSmall:
            "Raise streamer_memory_limit above the size named in the message, or set it to -1."
        default: remedyOfTheMachine
        }
    }

    private var remedyOfTheMachine: String {
        switch self {
        case .hostOutOfMemory:
            "Lower streamer_memory_limit (it is per rank) or streamer_concurrency, or use a machine with more memory."
        case .gpuOutOfMemory:
            "Lower gpu_memory_utilization or max_model_len, raise tensor_parallel_size, or use a larger GPU."
        case .gpuBusy:
            "End the process that holds the GPU (nvidia-smi shows it); a leftover engine is the usual one."
        case .kvCacheTooSmall:
            "Lower max_model_len to the length named in the message, or raise gpu_memory_utilization."
        case .driver:
            "Run nvidia-smi on the node; use an image whose driver fits vLLM's CUDA version (580 or newer for CUDA 13)."
        case .nccl:
            "Run again with NCCL_DEBUG=INFO; check /dev/shm, the GPUs' links and tensor_parallel_size."
        case .portInUse:
            "End the process that listens there (the message of the port check names it), or set another port."
        case .engineMissing:
            "Install vLLM on the node, or correct the path of its executable."
        case .toolchainMissing:
            "Install gcc, g++ and the headers of Python (apt-get install build-essential python3-dev) and the CUDA toolkit "
                + "that fits the engine's torch (nvcc, CUDA_HOME); or give --enforce-eager where only compilation needs it."
        case .engineDied:
            "Look at the kernel log for the same moment (out of memory, GPU Xid); the node starts the engine again."
        case .engineUnkillable:
            "Reboot or replace the machine: a driver holds the process (see the kernel log for NVRM, Xid or hung tasks)."
        case .engineLog:
            "Make the log's path a regular file that belongs to the engine's user."
        case .localStorage:
            "Free space, or make the path writable for the engine's user; /dev/shm counts too."
        case .stalled:
            "Look at the last phase and the evidence; the node starts the engine again."
        case .canaryFailed:
            "Ask the engine for a completion by hand; compare served model name and weights."
        default:
            "Read the evidence lines; report them together with the engine's log."
        }
    }
}
