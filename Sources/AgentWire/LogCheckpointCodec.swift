package import AgentCore

/// A checkpoint of the engine's log as JSON. Numbers of 64 bits are hexadecimal text: JSON's own have 53.
package enum LogCheckpointCodec {
    package static let maximumBytes = 4096
    private static let schema: Int64 = 1

    package static func encode(_ checkpoint: LogCheckpoint) -> [UInt8] {
        JSONValue.object([
            "schema": .integer(schema), "origin": object(checkpoint.origin),
            "understood": object(checkpoint.understood),
        ]).rendered()
    }

    /// nil for what this agent cannot have written; a checkpoint is not worth guessing.
    package static func decode(_ bytes: [UInt8]) -> LogCheckpoint? {
        guard bytes.count <= maximumBytes, let value = try? JSONValue.parse(bytes),
            value["schema"]?.integerValue == schema,
            let origin = value["origin"].flatMap(position), let understood = value["understood"].flatMap(position)
        else { return nil }
        return LogCheckpoint(origin: origin, understood: understood)
    }

    private static func object(_ position: LogPosition) -> JSONValue {
        .object([
            "device": hexadecimal(position.device), "inode": hexadecimal(position.inode),
            "offset": .integer(position.offset), "bytes_hashed": .integer(Int64(position.fingerprint.count)),
            "hash": hexadecimal(position.fingerprint.hash),
        ])
    }

    private static func position(_ value: JSONValue) -> LogPosition? {
        guard let device = number(value["device"]), let inode = number(value["inode"]),
            let offset = value["offset"]?.integerValue, offset >= 0,
            let count = value["bytes_hashed"]?.integerValue,
            count == min(offset, Int64(LogFingerprint.longest)), let hash = number(value["hash"])
        else { return nil }
        let fingerprint = LogFingerprint(count: Int(count), hash: hash)
        return LogPosition(device: device, inode: inode, offset: offset, fingerprint: fingerprint)
    }

    private static func hexadecimal(_ number: UInt64) -> JSONValue { .string(String(number, radix: 16)) }

    private static func number(_ value: JSONValue?) -> UInt64? {
        value?.stringValue.flatMap { UInt64($0, radix: 16) }
    }
}
