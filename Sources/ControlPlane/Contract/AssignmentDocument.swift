internal import AgentCore
internal import AgentWire

/// What a node is told to serve: the one answer of this server that carries secrets.
enum AssignmentDocument {
    /// The fields of the request that are the node's business; unknown ones stay here.
    private static let fields = [
        "model", "model_uri", "provider", "region", "gpu", "gpu_count", "use_spot", "vllm_version",
        "use_runai_streamer", "streamer_concurrency", "streamer_memory_limit", "gpu_memory_utilization", "dtype",
        "tensor_parallel_size", "max_model_len", "extra_args", "callback_url",
    ]

    /// Absent fields are left out: their defaults are the node's.
    static func of(_ assignment: StoredAssignment, store: ObjectStore?) -> JSONValue {
        var document: [String: JSONValue] = ["generation": .integer(assignment.generation)]
        for field in fields {
            document[field] = assignment.document[field]
        }
        document["callback_secret"] = assignment.callbackSecret.map { .string($0.reveal()) }
        document["end"] = assignment.end
        document["r2"] = store.map(credentials)
        return .object(document)
    }

    private static func credentials(_ store: ObjectStore) -> JSONValue {
        var document: [String: JSONValue] = [
            "endpoint": .string(store.endpoint),
            "bucket": .string(store.bucket),
            "access_key_id": .string(store.accessKeyID.reveal()),
            "secret_access_key": .string(store.secretAccessKey.reveal()),
        ]
        document["session_token"] = store.sessionToken.map { .string($0.reveal()) }
        document["expires_at"] = store.expiresAt.map(JSONValue.string)
        document["cdn_domain"] = store.cdnDomain.map(JSONValue.string)
        return .object(document)
    }
}
