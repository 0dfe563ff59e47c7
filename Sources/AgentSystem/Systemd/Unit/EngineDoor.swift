internal import AgentCore
internal import CLinux
internal import Glibc
internal import Locking

/// The connection to `crosslogic-enginectl`, which does what only root may do to the engine's unit.
///
/// Every call waits for its answer, on the executor's queue.
actor EngineDoor {
    enum Verb: String {
        case gpu
        case serving
        case idle
        case packCaches = "pack-caches"
        case unpackCaches = "unpack-caches"
        case cleanCaches = "clean-caches"
        case recordReadAhead = "record-read-ahead"
    }

    /// What is asked of one of the engine's two units.
    enum UnitVerb: String {
        case start
        /// Makes the engine that waits serve; `failed` where it does not, and it waits on.
        case go
        /// Ends what waits, and starts.
        case restart
        case stop
        case kill
        case status
        case processes
    }

    struct Answer: Equatable {
        var isDone: Bool
        /// What follows the first line.
        var lines: [String]
    }

    static let standardPath = "/run/crosslogic-enginectl.socket"
    /// Longer than a start may wait for NVIDIA's modules.
    private static let patience: Int32 = 60
    private static let answerLimit = 1 << 20

    private let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let path: String
    private var connection: Descriptor?

    init(_ path: String, on executor: QueueExecutor) {
        self.path = path
        self.executor = executor
    }

    /// For callers that are on the executor's queue already.
    nonisolated func askHere(_ verb: Verb) -> Result<Answer, SystemError> { askHere(verb.rawValue) }

    nonisolated func askHere(_ verb: UnitVerb, _ place: EnginePlace) -> Result<Answer, SystemError> {
        askHere(place == .main ? verb.rawValue : "\(verb.rawValue)-spare")
    }

    private nonisolated func askHere(_ words: String) -> Result<Answer, SystemError> {
        assumeIsolated { door in
            do throws(SystemError) {
                return .success(try door.ask(words))
            } catch {
                return .failure(error)
            }
        }
    }

    private func ask(_ verb: String) throws(SystemError) -> Answer {
        // What is left of an earlier connection may be closed at the other end: systemd was reexecuted, say.
        if let connection, let answer = try? exchange(verb, over: connection) { return answer }
        connection = nil
        let fresh = try Descriptor(
            owning: SystemError.check("connect") { clinux_connect_unix(path, Self.patience) })
        let answer = try exchange(verb, over: fresh)
        connection = fresh
        return answer
    }

    private func exchange(_ verb: String, over connection: Descriptor) throws(SystemError) -> Answer {
        try send(Array("\(verb)\n".utf8), over: connection)
        var bytes: [UInt8] = []
        while !bytes.isWholeAnswer {
            guard bytes.count < Self.answerLimit else { throw SystemError(operation: "read", code: EMSGSIZE) }
            bytes += try receive(from: connection)
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        // Anything else is the rest of an earlier answer: the connection is out of step, and the next one is not.
        guard let word = lines.first, ["ok", "failed", "refused"].contains(word) else {
            throw SystemError(operation: "read", code: EBADMSG)
        }
        return Answer(isDone: word == "ok", lines: Array(lines.dropFirst()))
    }

    private func send(_ bytes: [UInt8], over connection: Descriptor) throws(SystemError) {
        // A verb is a few bytes and fits the socket's buffer.
        try SystemError.check("send") {
            bytes.withUnsafeBytes { Glibc.send(connection.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        }
    }

    private func receive(from connection: Descriptor) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 14) { buffer, count in
            do throws(SystemError) {
                count = Int(
                    try SystemError.check("recv") { recv(connection.number, buffer.baseAddress, buffer.count, 0) })
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        guard !bytes.isEmpty else { throw SystemError(operation: "recv", code: ECONNRESET) }
        return bytes
    }
}

extension [UInt8] {
    /// An empty line ends an answer.
    fileprivate var isWholeAnswer: Bool { count >= 2 && suffix(2) == [0x0A, 0x0A] }
}

extension EnginePlace {
    var unit: String { self == .main ? "crosslogic-engine.service" : "crosslogic-engine-spare.service" }
}
