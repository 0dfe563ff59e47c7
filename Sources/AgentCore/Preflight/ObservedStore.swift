// What was seen in the object store, without a verdict.

/// One object as a listing tells it.
package struct StoredObject: Equatable, Sendable {
    /// Below the model's prefix, such as `config.json` or `original/params.json`.
    package var name: String
    package var bytes: UInt64
    /// The store's word for this content: its ETag, without quotes; nil where it told none.
    package var tag: String?

    package init(name: String, bytes: UInt64, tag: String? = nil) {
        self.name = name
        self.bytes = bytes
        self.tag = tag
    }

    /// What the streamer reads: it takes every one that lies directly under the prefix, whatever the index says.
    package var isTopLevelSafetensors: Bool { name.hasSuffix(".safetensors") && !name.contains("/") }
}

/// What a safetensors file says about itself.
package struct ShardHeader: Equatable, Sendable {
    /// Of the header with the eight bytes of its length.
    package var headerBytes: UInt64
    /// Up to the end of the last tensor.
    package var dataBytes: UInt64
    package var tensors: Int
    package var largestTensorBytes: UInt64

    package init(headerBytes: UInt64, dataBytes: UInt64, tensors: Int, largestTensorBytes: UInt64) {
        self.headerBytes = headerBytes
        self.dataBytes = dataBytes
        self.tensors = tensors
        self.largestTensorBytes = largestTensorBytes
    }

    /// nil where the sum does not fit into 64 bits, which no object's size does.
    package var objectBytes: UInt64? {
        let (sum, overflow) = headerBytes.addingReportingOverflow(dataBytes)
        return overflow ? nil : sum
    }
}

/// `model.safetensors.index.json`.
package struct WeightIndex: Equatable, Sendable {
    /// The files that hold the weights.
    package var files: Set<String>
    /// Bytes of all tensors, where it says so.
    package var totalBytes: UInt64?

    package init(files: Set<String>, totalBytes: UInt64? = nil) {
        self.files = files
        self.totalBytes = totalBytes
    }
}

/// Why the store did not give what it was asked for.
package enum StoreTrouble: Error, Equatable, Sendable {
    /// It answered with an error; `code` is S3's own word for it.
    case refused(status: Int, code: String?)
    case noAnswer(HTTPFailure)
    /// It answered something that is not S3.
    case notUnderstood(String)

    package var words: String {
        switch self {
        case .refused(let status, let code): code.map { "\(status) \($0)" } ?? "\(status)"
        case .noAnswer(let failure): failure.message
        case .notUnderstood(let reason): reason
        }
    }
}

/// What came back for one file.
package enum Observed<Value: Equatable & Sendable>: Equatable, Sendable {
    case found(Value)
    case absent
    /// It came, and it is not what its name says.
    case broken(String)
    case trouble(StoreTrouble)
    /// Larger than what is read before a start.
    case skipped(String)
}

package struct ObservedStore: Equatable, Sendable {
    package enum Listing: Equatable, Sendable {
        /// `isComplete` is false where there were more objects than are looked at.
        case objects([StoredObject], isComplete: Bool)
        case trouble(StoreTrouble)
    }

    package var endpoint: String
    package var bucket: String
    package var prefix: String
    package var listing: Listing
    /// Seconds that the store's clock is ahead of this machine's; nil where it told no time.
    package var clockAhead: Double?
    package var index: Observed<WeightIndex>
    /// By name, for every top-level safetensors file.
    package var shards: [String: Observed<ShardHeader>]
    /// From request to first byte, the median over small reads, in seconds.
    package var firstByteSeconds: Double?

    package init(endpoint: String, bucket: String, prefix: String, listing: Listing) {
        self.endpoint = endpoint
        self.bucket = bucket
        self.prefix = prefix
        self.listing = listing
        index = .absent
        shards = [:]
    }

    package var objects: [StoredObject] {
        if case .objects(let objects, _) = listing { objects } else { [] }
    }

    /// What the streamer will read.
    package var weights: [StoredObject] { objects.filter(\.isTopLevelSafetensors) }

    package var weightBytes: UInt64 { weights.reduce(0) { $0 &+ $1.bytes } }

    package var largestTensorBytes: UInt64? {
        shards.values.compactMap { if case .found(let header) = $0 { header.largestTensorBytes } else { nil } }.max()
    }

    package var address: String { "s3://\(bucket)/\(prefix)" }
}
