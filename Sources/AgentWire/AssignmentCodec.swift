package import AgentCore

/// Why a body is no assignment: every fault named, and the generation where that much could be read.
package struct AssignmentRejection: Error, Equatable, Sendable {
    package var generation: Int64?
    package var faults: [FieldFault]
}

/// What the node's own settings supply where the assignment is silent.
package struct AssignmentDefaults: Equatable, Sendable {
    package var store: ObjectStore?
    package var useRunaiStreamer: Bool?
    package var streamerConcurrency: Int?
    package var streamerMemoryLimit: Int64?
    package var gpuMemoryUtilization: Double?

    package init() {}
}

package enum AssignmentCodec {
    /// Larger bodies are refused before they are parsed.
    package static let maximumBytes = 256 * 1024

    package static func decode(
        _ body: [UInt8], defaults: AssignmentDefaults
    ) throws(AssignmentRejection) -> Assignment {
        let document: JSONValue
        do {
            document = try JSONValue.parseUnambiguous(body)
        } catch {
            throw AssignmentRejection(generation: nil, faults: [FieldFault(field: "body", problem: error.reason)])
        }
        var reader = FieldReader(document)
        let generation = reader.requiredInteger("generation", in: 1...Int64.max)
        let assignment = read(&reader, generation: generation ?? 0, defaults: defaults)
        guard reader.faults.isEmpty, let assignment else {
            throw AssignmentRejection(generation: generation, faults: reader.faults)
        }
        return assignment
    }

    private static func read(
        _ reader: inout FieldReader, generation: Int64, defaults: AssignmentDefaults
    ) -> Assignment? {
        let model = reader.requiredString("model", maximumLength: 256)
        let modelURI = reader.requiredString("model_uri", maximumLength: 1024)
        let store = readStore(&reader) ?? defaults.store
        if store == nil, reader.value("r2") == nil, modelURI?.hasPrefix("s3://") == true {
            reader.fault("r2", "is missing and the node has no R2_* settings of its own")
        }
        var assignment = Assignment(
            generation: generation, model: model ?? "", modelURI: modelURI ?? "",
            store: store ?? ObjectStore(endpoint: "", bucket: "", accessKeyID: Secret(""), secretAccessKey: Secret("")))
        readPlacement(&reader, into: &assignment)
        readLoader(&reader, into: &assignment, defaults: defaults)
        readEngine(&reader, into: &assignment, defaults: defaults)
        readCallback(&reader, into: &assignment)
        if let model { check(AssignmentRules.model(model), "model", &reader) }
        if let modelURI {
            check(AssignmentRules.modelURI(modelURI), "model_uri", &reader)
        }
        return assignment
    }

    private static func readPlacement(_ reader: inout FieldReader, into assignment: inout Assignment) {
        assignment.provider = reader.string("provider", maximumLength: 64)
        assignment.region = reader.string("region", maximumLength: 64)
        assignment.gpu = reader.string("gpu", maximumLength: 64)
        assignment.useSpot = reader.bool("use_spot") ?? true
        if let count = reader.integer("gpu_count", in: AssignmentRules.gpuCount) {
            assignment.gpuCount = Int(count)
        }
        let parallel = reader.integer("tensor_parallel_size", in: AssignmentRules.gpuCount)
        assignment.tensorParallelSize = parallel.map(Int.init) ?? assignment.gpuCount
        if assignment.tensorParallelSize > assignment.gpuCount, reader.value("gpu_count") != nil {
            reader.fault(
                "tensor_parallel_size",
                "is \(assignment.tensorParallelSize), but gpu_count is \(assignment.gpuCount)")
        }
    }

    private static func readLoader(
        _ reader: inout FieldReader, into assignment: inout Assignment, defaults: AssignmentDefaults
    ) {
        assignment.useRunaiStreamer =
            reader.bool("use_runai_streamer") ?? defaults.useRunaiStreamer ?? assignment.useRunaiStreamer
        let concurrency = reader.integer("streamer_concurrency", in: AssignmentRules.streamerConcurrency)
        assignment.streamerConcurrency =
            concurrency.map(Int.init) ?? defaults.streamerConcurrency ?? assignment.streamerConcurrency
        let limit = reader.integer("streamer_memory_limit", in: AssignmentRules.streamerMemoryLimit)
        assignment.streamerMemoryLimit = limit ?? defaults.streamerMemoryLimit ?? assignment.streamerMemoryLimit
        if concurrency ?? defaults.streamerConcurrency.map(Int64.init) != nil {
            assignment.givenStreamerSettings.insert(.concurrency)
        }
        if limit ?? defaults.streamerMemoryLimit != nil { assignment.givenStreamerSettings.insert(.memoryLimit) }
    }

    private static func readEngine(
        _ reader: inout FieldReader, into assignment: inout Assignment, defaults: AssignmentDefaults
    ) {
        assignment.vllmVersion = reader.string("vllm_version", maximumLength: 64)
        assignment.gpuMemoryUtilization =
            reader.number("gpu_memory_utilization") ?? defaults.gpuMemoryUtilization ?? assignment.gpuMemoryUtilization
        check(
            AssignmentRules.gpuMemoryUtilization(assignment.gpuMemoryUtilization), "gpu_memory_utilization", &reader)
        assignment.dtype = reader.string("dtype", maximumLength: 32) ?? assignment.dtype
        check(AssignmentRules.dtype(assignment.dtype), "dtype", &reader)
        assignment.maxModelLength =
            reader.integer("max_model_len", in: AssignmentRules.maxModelLength).map(Int.init)
        assignment.extraArguments =
            reader.strings("extra_args", maximumCount: AssignmentRules.maximumExtraArguments) ?? []
        for (index, problem) in AssignmentRules.extraArguments(assignment.extraArguments) {
            reader.fault("extra_args[\(index)]", problem)
        }
    }

    private static func readCallback(_ reader: inout FieldReader, into assignment: inout Assignment) {
        assignment.callbackURL = reader.string("callback_url", maximumLength: 2048)
        if let url = assignment.callbackURL { check(AssignmentRules.url(url), "callback_url", &reader) }
        assignment.callbackSecret = reader.string("callback_secret").map(Secret.init)
    }

    private static func readStore(_ reader: inout FieldReader) -> ObjectStore? {
        guard let value = reader.value("r2") else { return nil }
        var fields = FieldReader(value, path: "r2")
        defer { reader.absorb(fields) }
        let endpoint = fields.requiredString("endpoint")
        if let endpoint { check(AssignmentRules.url(endpoint), "endpoint", &fields) }
        let bucket = fields.requiredString("bucket", maximumLength: 255)
        let accessKeyID = fields.requiredString("access_key_id")
        let secretAccessKey = fields.requiredString("secret_access_key")
        var store = ObjectStore(
            endpoint: endpoint ?? "", bucket: bucket ?? "", accessKeyID: Secret(accessKeyID ?? ""),
            secretAccessKey: Secret(secretAccessKey ?? ""))
        store.sessionToken = fields.string("session_token", maximumLength: 8192).map(Secret.init)
        store.expiresAt = fields.string("expires_at", maximumLength: 64)
        store.cdnDomain = fields.string("cdn_domain", maximumLength: 255)
        return store
    }

    private static func check(_ problem: String?, _ field: String, _ reader: inout FieldReader) {
        if let problem { reader.fault(field, problem) }
    }
}
