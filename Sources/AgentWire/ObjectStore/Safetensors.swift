package import AgentCore

/// The head of a safetensors file: eight bytes of length, then as much JSON, then the tensors.
package enum Safetensors {
    /// What is read of a header; those of models with ten thousand tensors have 1.5 MB.
    package static let maximumHeaderBytes: UInt64 = 4 << 20
    /// The longest header that the format's own reader accepts.
    package static let formatLimit: UInt64 = 100_000_000

    /// Bytes of length and JSON together; nil for fewer than eight bytes, and for a length that no file has.
    package static func headerBytes(_ head: [UInt8]) -> UInt64? {
        guard head.count >= 8 else { return nil }
        let length = head.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let (sum, overflow) = length.addingReportingOverflow(8)
        return overflow ? nil : sum
    }

    /// `head` holds at least the whole header.
    package static func header(_ head: [UInt8]) throws(JSONSyntaxError) -> ShardHeader {
        guard let length = headerBytes(head), length <= UInt64(head.count) else {
            throw JSONSyntaxError(reason: "the header is longer than the file")
        }
        var header = ShardHeader(headerBytes: length, dataBytes: 0, tensors: 0, largestTensorBytes: 0)
        var scanner = JSONScanner(head, from: 8, to: Int(length))
        try scanner.members { (name, scanner) throws(JSONSyntaxError) in
            guard name != "__metadata__" else { return try scanner.skipValue() }
            let extent = try extent(&scanner, of: name)
            header.tensors += 1
            header.dataBytes = max(header.dataBytes, extent.upperBound)
            header.largestTensorBytes = max(header.largestTensorBytes, extent.upperBound - extent.lowerBound)
        }
        try scanner.finish()
        return header
    }

    /// `{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}`
    private static func extent(
        _ scanner: inout JSONScanner, of name: String
    ) throws(JSONSyntaxError) -> Range<UInt64> {
        var offsets: [UInt64?] = []
        try scanner.members { (field, scanner) throws(JSONSyntaxError) in
            guard field == "data_offsets" else { return try scanner.skipValue() }
            try scanner.elements { scanner throws(JSONSyntaxError) in
                let offset = try scanner.unsigned()
                if offsets.count < 3 { offsets.append(offset) }
            }
        }
        guard offsets.count == 2, let begin = offsets[0], let end = offsets[1], begin <= end else {
            throw JSONSyntaxError(reason: "a tensor has no valid data_offsets")
        }
        return begin..<end
    }
}

extension WeightIndex {
    package static let fileName = "model.safetensors.index.json"
    /// DeepSeek-V3's has 9 MB.
    package static let maximumBytes = 32 << 20
    private static let maximumFiles = 10_000

    package static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> WeightIndex {
        var index = WeightIndex(files: [])
        var scanner = JSONScanner(bytes)
        try scanner.members { (name, scanner) throws(JSONSyntaxError) in
            switch name {
            case "metadata":
                try scanner.members { (field, scanner) throws(JSONSyntaxError) in
                    if field == "total_size" {
                        index.totalBytes = try scanner.unsigned()
                    } else {
                        try scanner.skipValue()
                    }
                }
            case "weight_map":
                try scanner.members { (_, scanner) throws(JSONSyntaxError) in
                    index.files.insert(try scanner.string())
                    guard index.files.count <= maximumFiles else {
                        throw JSONSyntaxError(reason: "weight_map names more than \(maximumFiles) files")
                    }
                }
            default: try scanner.skipValue()
            }
        }
        try scanner.finish()
        guard !index.files.isEmpty else { throw JSONSyntaxError(reason: "weight_map is missing or empty") }
        return index
    }
}
