/// Words that tell a class of failure. They are looked for in `Type: message` and the lines of the message that follow,
/// in this order: the first that stands there decides.
struct FailureSignature: Sendable {
    var failure: FailureClass
    var words: StaticString

    init(_ failure: FailureClass, _ words: StaticString) {
        self.failure = failure
        self.words = words
    }

    /// The class that `text` speaks of; nil where nothing is known about it.
    static func match(_ text: String) -> FailureClass? {
        let bytes = Array(text.utf8)
        return all.first { bytes.span.contains($0.words) }?.failure
    }

    /// Exceptions that only say that another process failed, or that a stop is under way.
    static func isGeneric(_ found: TracebackReader.Found) -> Bool {
        let type = Array(found.exception.type.utf8)
        let last = type.lastIndex(of: UInt8(ascii: ".")).map { $0 + 1 } ?? 0
        let name = type.span.extracting(last..<type.count)
        if genericTypes.contains(where: { name.count == $0.utf8CodeUnitCount && name.starts(with: $0) }) {
            return true
        }
        let message = Array(found.exception.message.utf8)
        return genericMessages.contains { message.span.starts(with: $0) }
    }

    private static let genericTypes: [StaticString] = [
        "EngineDeadError", "MQEngineDeadError", "AsyncEngineDeadError", "EngineGenerateError", "CancelledError",
        "KeyboardInterrupt", "SystemExit", "BrokenPipeError", "ConnectionResetError", "EOFError",
        "ProcessExitedException", "NoSuchProcess", "ActorDiedError",
    ]

    private static let genericMessages: [StaticString] = [
        "Engine core initialization failed.",
        "WorkerProc initialization failed due to an exception in a background process.",
        "Engine process failed to start.",
        "Engine process (pid ",
        "EngineCore encountered an issue.",
        "Worker failed with error",
        "Executor failed.",
        "cancelled",
        "Background loop has errored already.",
        "Background loop is stopped.",
        "Task finished unexpectedly.",
        "Call to ",
    ]

    static let all: [FailureSignature] =
        store + streamer + settings + processes + accelerator + weights + toolchain + host
}

extension FailureSignature {
    /// Object store, while configuration and tokenizer are pulled (boto3).
    private static let store: [FailureSignature] = [
        FailureSignature(.credentialsMissing, "NoCredentialsError"),
        FailureSignature(.credentialsMissing, "PartialCredentialsError"),
        FailureSignature(.credentialsMissing, "CredentialRetrievalError"),
        FailureSignature(.credentialsRejected, "(InvalidAccessKeyId)"),
        FailureSignature(.credentialsRejected, "(SignatureDoesNotMatch)"),
        FailureSignature(.credentialsRejected, "(AccessDenied)"),
        FailureSignature(.credentialsRejected, "(Unauthorized)"),
        FailureSignature(.credentialsRejected, "(ExpiredToken"),
        FailureSignature(.credentialsRejected, "(InvalidToken"),
        FailureSignature(.credentialsRejected, "(TokenRefreshRequired)"),
        FailureSignature(.clockSkewed, "(RequestTimeTooSkewed)"),
        FailureSignature(.credentialsRejected, "(AuthorizationHeaderMalformed)"),
        FailureSignature(.credentialsRejected, "An error occurred (401)"),
        FailureSignature(.credentialsRejected, "An error occurred (403)"),
        // R2's answer to a key of the wrong length.
        FailureSignature(.credentialsRejected, "Credential access key has length"),
        FailureSignature(.credentialsRejected, "GatedRepoError"),
        FailureSignature(.credentialsRejected, "You are trying to access a gated repo"),
        FailureSignature(.credentialsRejected, "Cannot access gated repo"),
        FailureSignature(.bucketMissing, "(NoSuchBucket)"),
        FailureSignature(.bucketMissing, "(InvalidBucketName)"),
        FailureSignature(.bucketMissing, "Invalid bucket name"),
        FailureSignature(.bucketMissing, "(PermanentRedirect)"),
        FailureSignature(.modelMissing, "(NoSuchKey)"),
        FailureSignature(.modelMissing, "An error occurred (404)"),
        FailureSignature(.endpointStalled, "ReadTimeoutError"),
        FailureSignature(.endpointStalled, "(RequestTimeout)"),
        FailureSignature(.endpointUnreachable, "EndpointConnectionError"),
        FailureSignature(.endpointUnreachable, "ConnectTimeoutError"),
        FailureSignature(.endpointUnreachable, "ConnectionClosedError"),
        FailureSignature(.endpointUnreachable, "botocore.exceptions.HTTPClientError"),
        FailureSignature(.endpointUnreachable, "ProxyConnectionError"),
        FailureSignature(.endpointUnreachable, "botocore.exceptions.SSLError"),
        FailureSignature(.endpointUnreachable, "ValueError: Invalid endpoint: "),
        FailureSignature(.endpointUnreachable, "(SlowDown)"),
        FailureSignature(.endpointUnreachable, "(ServiceUnavailable)"),
        FailureSignature(.endpointUnreachable, "(InternalError)"),
        FailureSignature(.endpointUnreachable, "gaierror: "),
        FailureSignature(.modelMissing, "Invalid repository ID or local directory specified"),
        FailureSignature(.modelMissing, "is not a local folder and is not a valid model identifier"),
        FailureSignature(.modelMissing, "Can't load the configuration of "),
        FailureSignature(.modelMissing, "RepositoryNotFoundError"),
        FailureSignature(.modelMissing, "HFValidationError"),
        FailureSignature(.modelMissing, "LocalEntryNotFoundError"),
        FailureSignature(.modelMissing, "OfflineModeIsEnabled"),
        FailureSignature(.endpointUnreachable, "We couldn't connect to 'https://"),
    ]

    private static let streamer: [FailureSignature] = [
        FailureSignature(.memoryLimitTooSmall, "Memory limit supplied: "),
        FailureSignature(.streamerMissing, "No module named 'runai_model_streamer"),
        FailureSignature(.streamerMissing, "No module named 'boto3'"),
        FailureSignature(.streamerMissing, "Please install vllm[runai]"),
        FailureSignature(.streamerMissing, "S3 files module not found"),
        FailureSignature(.streamerMissing, "S3 not supported"),
        FailureSignature(.streamerMissing, "libstreamer.so"),
        FailureSignature(.streamerMissing, "libstreamers3.so"),
        // More connections than descriptors: `concurrency` sets how many.
        FailureSignature(.badLoaderConfig, "Increase process fd limit"),
        FailureSignature(.badLoaderConfig, "OSError: [Errno 24] Too many open files"),
        FailureSignature(.badLoaderConfig, "CA bundle file not found"),
        FailureSignature(.weightsUnreadable, "from libstreamer due to: "),
        FailureSignature(.weightsUnreadable, "to libstreamer due to: "),
        FailureSignature(.weightsUnreadable, "Failed to download s3 object"),
    ]

    /// Flags and settings that do not fit this vLLM or this model.
    private static let settings: [FailureSignature] = [
        FailureSignature(.badLoaderConfig, "--model-loader-extra-config"),
        FailureSignature(.badLoaderConfig, "Unexpected extra config keys"),
        FailureSignature(.badLoaderConfig, "memory_limit must be "),
        FailureSignature(.badLoaderConfig, "concurrency must be "),
        FailureSignature(.badLoaderConfig, "distributed must be "),
        FailureSignature(.badLoaderConfig, "Model loader extra config is not supported"),
        FailureSignature(.badLoaderConfig, "'load_format' must be "),
        FailureSignature(.badLoaderConfig, "Unknown load_format"),
        FailureSignature(.badLoaderConfig, "Unknown load format"),
        FailureSignature(.badLoaderConfig, "is not a valid LoadFormat"),
        FailureSignature(.badFlag, "error: unrecognized arguments: "),
        FailureSignature(.badFlag, "error: argument "),
        FailureSignature(.badFlag, "error: the following arguments are required"),
        FailureSignature(.badFlag, "error: ambiguous option"),
        FailureSignature(.engineMissing, "No package metadata was found for vllm"),
        FailureSignature(.engineMissing, "No module named 'vllm'"),
        FailureSignature(.engineMissing, "vllm: command not found"),
        FailureSignature(.engineMissing, "vllm: not found"),
        FailureSignature(.engineMissing, "vllm: No such file or directory"),
        FailureSignature(.engineMissing, "vllm': No such file or directory"),
        FailureSignature(.engineMissing, "vllm: Permission denied"),
    ]

    private static let processes: [FailureSignature] = [
        FailureSignature(.portInUse, "Address already in use"),
        FailureSignature(.portInUse, "address already in use"),
        FailureSignature(.portInUse, "EADDRINUSE"),
        FailureSignature(.stalled, "Timed out waiting for engine core processes to start"),
        FailureSignature(.stalled, "TimeoutError: RPC call to "),
    ]
}
