package import AgentCore

/// What is written down beside a downloaded model, as JSON.
package enum ModelCacheCodec {
    /// Hidden, so that no engine takes it for the model's.
    package static let fileName = ".crosslogic-download.json"
    package static let maximumBytes = 8 << 20
    private static let schema: Int64 = 1

    package static func render(_ record: ModelCacheRecord) -> [UInt8] {
        let files = record.files.map { name, file in
            var fields: [String: JSONValue] = ["bytes": .integer(Int64(clamping: file.bytes))]
            fields["tag"] = file.tag.map(JSONValue.string)
            fields["parts"] = file.parts.map { .string($0.text) }
            return (name, JSONValue.object(fields))
        }
        return JSONValue.object([
            "schema": .integer(schema), "source": .string(record.source), "boot": .string(record.boot),
            "part_bytes": .integer(Int64(DownloadPlan.partBytes)), "used_at": .number(record.usedAt),
            "files": .object(Dictionary(files) { $1 }),
        ]).rendered(pretty: true)
    }

    /// nil for what this agent did not write, and for parts of another size: then nothing in the folder is known.
    package static func parse(_ bytes: [UInt8]) -> ModelCacheRecord? {
        guard let document = try? JSONValue.parse(bytes), document["schema"]?.integerValue == schema,
            document["part_bytes"]?.integerValue == Int64(DownloadPlan.partBytes),
            let source = document["source"]?.stringValue, let boot = document["boot"]?.stringValue,
            let usedAt = document["used_at"]?.numberValue, usedAt.isFinite, case .object(let files) = document["files"],
            files.count <= ModelCacheRecord.fileLimit
        else { return nil }
        var record = ModelCacheRecord(source: source, boot: boot, usedAt: usedAt)
        for (name, value) in files {
            guard let file = file(value) else { return nil }
            record.files[name] = file
        }
        return record
    }

    private static func file(_ value: JSONValue) -> ModelCacheRecord.File? {
        guard let bytes = value["bytes"]?.integerValue.flatMap({ UInt64(exactly: $0) }) else { return nil }
        var file = ModelCacheRecord.File(bytes: bytes, tag: value["tag"]?.stringValue)
        if let text = value["parts"]?.stringValue {
            let limit = DownloadPlan.parts(of: ModelFile(name: "", bytes: bytes))
            guard let parts = PartSet(text, limit: limit) else { return nil }
            file.parts = parts
        }
        return file
    }
}
