internal import AgentCore

extension AssignmentCodec {
    /// Every field as the control plane would send it, secrets too: only for files that may hold them.
    static func encode(_ assignment: Assignment) -> JSONValue {
        var fields: [String: JSONValue] = [
            "generation": .integer(assignment.generation), "model": .string(assignment.model),
            "model_uri": .string(assignment.modelURI), "gpu_count": .integer(Int64(assignment.gpuCount)),
            "use_spot": .bool(assignment.useSpot), "use_runai_streamer": .bool(assignment.useRunaiStreamer),
            "streamer_concurrency": .integer(Int64(assignment.streamerConcurrency)),
            "streamer_memory_limit": .integer(assignment.streamerMemoryLimit),
            "gpu_memory_utilization": .number(assignment.gpuMemoryUtilization), "dtype": .string(assignment.dtype),
            "tensor_parallel_size": .integer(Int64(assignment.tensorParallelSize)),
            "extra_args": .array(assignment.extraArguments.map(JSONValue.string)),
        ]
        fields["provider"] = assignment.provider.map(JSONValue.string)
        fields["region"] = assignment.region.map(JSONValue.string)
        fields["gpu"] = assignment.gpu.map(JSONValue.string)
        fields["vllm_version"] = assignment.vllmVersion.map(JSONValue.string)
        fields["max_model_len"] = assignment.maxModelLength.map { .integer(Int64($0)) }
        fields["callback_url"] = assignment.callbackURL.map(JSONValue.string)
        fields["callback_secret"] = (assignment.callbackSecret?.reveal()).map(JSONValue.string)
        if !assignment.store.endpoint.isEmpty { fields["r2"] = encode(assignment.store) }
        return .object(fields)
    }

    private static func encode(_ store: ObjectStore) -> JSONValue {
        var fields: [String: JSONValue] = [
            "endpoint": .string(store.endpoint), "bucket": .string(store.bucket),
            "access_key_id": .string(store.accessKeyID.reveal()),
            "secret_access_key": .string(store.secretAccessKey.reveal()),
        ]
        fields["session_token"] = (store.sessionToken?.reveal()).map(JSONValue.string)
        fields["expires_at"] = store.expiresAt.map(JSONValue.string)
        fields["cdn_domain"] = store.cdnDomain.map(JSONValue.string)
        return .object(fields)
    }
}
