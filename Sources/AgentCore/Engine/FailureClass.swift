/// Why a start or a run failed. The raw value is the word used in events, heartbeat, metrics and the journal.
package enum FailureClass: String, CaseIterable, Sendable {
    case credentialsMissing = "credentials_missing"
    case credentialsRejected = "credentials_rejected"
    case clockSkewed = "clock_skewed"
    case bucketMissing = "bucket_missing"
    case modelMissing = "model_missing"
    case endpointUnreachable = "endpoint_unreachable"
    case endpointStalled = "endpoint_stalled"
    case weightsUnreadable = "weights_unreadable"
    case weightsFormat = "weights_format"
    case weightsIncomplete = "weights_incomplete"
    case streamerMissing = "streamer_missing"
    case badFlag = "bad_flag"
    case badLoaderConfig = "bad_loader_config"
    case badModelConfig = "bad_model_config"
    case memoryLimitTooSmall = "memory_limit_too_small"
    case hostOutOfMemory = "host_oom"
    case gpuOutOfMemory = "gpu_oom"
    case gpuBusy = "gpu_busy"
    case kvCacheTooSmall = "kv_cache_too_small"
    case driver = "driver"
    case nccl = "nccl"
    case portInUse = "port_in_use"
    case engineMissing = "engine_missing"
    case toolchainMissing = "toolchain_missing"
    case engineDied = "engine_died"
    case engineUnkillable = "engine_unkillable"
    case engineLog = "engine_log"
    case localStorage = "local_storage"
    case stalled = "stalled"
    case canaryFailed = "canary_failed"
    case unknown = "unknown"
}

/// What to do after a failure of a class.
package enum RetryPolicy: String, Equatable, Sendable {
    /// Trying again cannot help; wait for another assignment.
    case final
    /// Trying again with the same settings can help.
    case retry
    /// Trying again can help with a setting that the agent changes, where there is one left to change.
    case retryChanged = "retry_changed"
}

/// A failure, explained: what happened, the evidence, and what to do.
package struct FailureReport: Error, Equatable, Sendable {
    package var failure: FailureClass
    /// The deciding line, such as `ValueError: Unexpected extra config keys…`; at most 1 KiB.
    package var message: String
    /// Which process said it: `APIServer`, `EngineCore`, `Worker`, `agent`; nil when nobody did.
    package var process: String?
    /// Lines that led to the verdict; at most 8 of at most 512 bytes each.
    package var evidence: [String]

    package init(_ failure: FailureClass, message: String, process: String? = nil, evidence: [String] = []) {
        self.failure = failure
        self.message = message
        self.process = process
        self.evidence = evidence
    }
}
