internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct LogCheckpointCodecTests {
    private let checkpoint = LogCheckpoint(
        origin: LogPosition(
            device: 2, inode: .max, offset: 10, fingerprint: LogFingerprint(of: [UInt8](repeating: 1, count: 10))),
        understood: LogPosition(
            device: .max, inode: 3, offset: .max, fingerprint: LogFingerprint(of: [UInt8](repeating: 2, count: 256))))

    @Test("Vector test_checkpointer_serialization: what is written is read")
    func roundTrip() {
        let bytes = LogCheckpointCodec.encode(checkpoint)
        #expect(bytes.count <= LogCheckpointCodec.maximumBytes)
        #expect(LogCheckpointCodec.decode(bytes) == checkpoint)
    }

    @Test("Whatever is cut off or changed, the rest is refused or a checkpoint, and never a crash")
    func damaged() {
        let bytes = LogCheckpointCodec.encode(checkpoint)
        for count in 0..<bytes.count { #expect(LogCheckpointCodec.decode(Array(bytes[..<count])) == nil) }
        for index in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[index] ^= 1 << bit
                _ = LogCheckpointCodec.decode(changed)
            }
        }
    }

    @Test(
        "What no agent has written is refused",
        arguments: [
            ("\"schema\":1", "\"schema\":2"), ("\"offset\":10", "\"offset\":-10"), ("\"offset\":10", "\"offset\":1e3"),
            ("\"bytes_hashed\":10", "\"bytes_hashed\":11"), ("\"bytes_hashed\":256", "\"bytes_hashed\":-1"),
            ("\"inode\":\"3\"", "\"inode\":3"), ("\"device\":\"2\"", "\"device\":\"-2\""),
        ])
    func refused(old: String, new: String) {
        let text = String(decoding: LogCheckpointCodec.encode(checkpoint), as: UTF8.self)
        #expect(text.contains(old))
        #expect(LogCheckpointCodec.decode([UInt8](text.replacing(old, with: new).utf8)) == nil)
    }

    @Test("Empty, huge or not JSON at all is no checkpoint", arguments: ["", "null", "[]", "{", "\u{0}"])
    func nonsense(text: String) {
        #expect(LogCheckpointCodec.decode([UInt8](text.utf8)) == nil)
        #expect(LogCheckpointCodec.decode([UInt8](repeating: 32, count: 1 << 16)) == nil)
    }
}
