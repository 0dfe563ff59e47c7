package import AgentCore
package import AgentWire

/// What an operator asks of a node: the body of `POST /api/v1/nodes` and `PUT /api/v1/nodes/{id}`.
package struct NodeRequest: Equatable, Sendable {
    /// The fields as sent, unknown ones kept, `model_uri` filled in. Holds no secret, so it may be shown.
    package let document: JSONValue
    /// Goes to the node alone.
    package let callbackSecret: Secret?

    /// - Parameters:
    ///   - body: the document as it came.
    ///   - bucket: where `model_uri` points when the body has none.
    /// - Throws: every fault of the body.
    package init(_ body: JSONValue, bucket: String?) throws(InvalidDocument) {
        var reader = FieldReader(body)
        Self.checkPlacement(&reader)
        let modelURI = Self.readModel(&reader, bucket: bucket)
        Self.checkEngine(&reader)
        let callbackSecret = Self.readCallback(&reader)
        if reader.value("r2") != nil {
            reader.fault("r2", "is not accepted: credentials come from the control plane's own R2_* settings")
        }
        guard reader.faults.isEmpty, case .object(var fields) = body, let modelURI else {
            throw InvalidDocument(faults: reader.faults)
        }
        fields["callback_secret"] = nil
        fields["model_uri"] = .string(modelURI)
        document = .object(fields.filter { $0.value != .null })
        self.callbackSecret = callbackSecret
    }

    private static func checkPlacement(_ reader: inout FieldReader) {
        for name in ["provider", "region", "gpu"] {
            if reader.string(name, maximumLength: 64)?.isEmpty == true { reader.fault(name, "must not be empty") }
        }
        let gpuCount = reader.integer("gpu_count", in: AssignmentRules.gpuCount)
        let parallel = reader.integer("tensor_parallel_size", in: AssignmentRules.gpuCount)
        if let gpuCount, let parallel, parallel > gpuCount {
            reader.fault("tensor_parallel_size", "is \(parallel), but gpu_count is \(gpuCount)")
        }
        _ = reader.bool("use_spot")
    }

    /// The URI the weights come from, nil when there is none that could work.
    private static func readModel(_ reader: inout FieldReader, bucket: String?) -> String? {
        let model = reader.requiredString("model", maximumLength: 256)
        let modelFault = model.flatMap(AssignmentRules.model)
        if let modelFault { reader.fault("model", modelFault) }
        _ = reader.bool("use_runai_streamer")

        var uri = reader.string("model_uri")
        if let uri, let problem = AssignmentRules.modelURI(uri) {
            reader.fault("model_uri", problem)
        }
        if reader.value("model_uri") == nil {
            guard let bucket else {
                reader.fault("model_uri", "is missing, and the control plane has no R2_BUCKET to derive it from")
                return nil
            }
            uri = model.map { "s3://\(bucket)/\($0)" }
        }
        return uri
    }

    private static func checkEngine(_ reader: inout FieldReader) {
        _ = reader.string("vllm_version", maximumLength: 64)
        _ = reader.integer("streamer_concurrency", in: AssignmentRules.streamerConcurrency)
        _ = reader.integer("streamer_memory_limit", in: AssignmentRules.streamerMemoryLimit)
        _ = reader.integer("max_model_len", in: AssignmentRules.maxModelLength)
        if let problem = reader.number("gpu_memory_utilization").flatMap(AssignmentRules.gpuMemoryUtilization) {
            reader.fault("gpu_memory_utilization", problem)
        }
        if let problem = reader.string("dtype", maximumLength: 32).flatMap(AssignmentRules.dtype) {
            reader.fault("dtype", problem)
        }
        let arguments = reader.strings("extra_args", maximumCount: AssignmentRules.maximumExtraArguments) ?? []
        for (index, problem) in AssignmentRules.extraArguments(arguments) {
            reader.fault("extra_args[\(index)]", problem)
        }
    }

    private static func readCallback(_ reader: inout FieldReader) -> Secret? {
        if let problem = reader.string("callback_url", maximumLength: 2048).flatMap(AssignmentRules.url) {
            reader.fault("callback_url", problem)
        }
        let secret = reader.string("callback_secret", maximumLength: 512)
        if secret?.isEmpty == true { reader.fault("callback_secret", "must not be empty") }
        return secret.map(Secret.init)
    }
}
