internal import AgentCore
internal import AgentTestKit
internal import Locking

/// A log that gives out the chunks it is told, and ends when it is asked to finish.
final class ScriptedEngineLog: EngineLogFollower {
    private let old: Mutex<[[UInt8]]>
    private let said = Mutex<Int64>(0)
    private let chunks: AsyncStream<[UInt8]>
    private let chunk: AsyncStream<[UInt8]>.Continuation

    init(replaying old: [String] = []) {
        self.old = Mutex(old.map { Array($0.utf8) })
        (chunks, chunk) = AsyncStream.makeStream()
    }

    func say(_ text: String) {
        said.withLock { $0 += Int64(text.utf8.count) }
        chunk.yield(Array(text.utf8))
    }

    func replay() async -> [UInt8]? {
        old.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    func next() async -> [UInt8]? {
        for await chunk in chunks { return chunk }
        return nil
    }

    func finish() { chunk.finish() }

    func isAtEnd(behind count: Int64) async -> Bool { count == said.withLock { $0 } }

    func checkpoint(behind count: Int64) async -> LogCheckpoint? { .sample(offset: count) }
}

extension LogCheckpoint {
    static func sample(offset: Int64) -> LogCheckpoint {
        let bytes = [UInt8](repeating: 7, count: Int(min(offset, 256)))
        let origin = LogPosition(device: 1, inode: .max, offset: 0, fingerprint: LogFingerprint(of: []))
        var understood = origin
        understood.offset = offset
        understood.fingerprint = LogFingerprint(of: bytes)
        return LogCheckpoint(origin: origin, understood: understood)
    }
}
