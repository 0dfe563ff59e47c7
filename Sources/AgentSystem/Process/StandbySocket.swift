package import AgentCore
internal import CLinux
internal import Glibc

/// The private socket at which an engine waits for its go.
package enum StandbySocket {
    /// Seconds for an answer, which comes at once while the engine imports, too.
    private static let patience: Int32 = 10
    private static let answerLimit = 4096
    /// For an interpreter that has only just been executed, and does not listen yet.
    private static let listensWithin = 250
    private static let lookEvery: useconds_t = 20_000

    /// Returns nil when the engine has taken it and serves from now on, else why not. Waits for the answer: not for the
    /// cooperative pool.
    ///
    /// The go holds credentials and starts an engine that only its own agent follows: where `listener` is given, no other
    /// process is sent it, as one would be that an earlier agent has left behind.
    package static func go(
        _ path: String, to listener: Int32? = nil, arguments: [String], environment: [EnvironmentVariable],
        while lives: () -> Bool = { true }
    ) -> String? {
        do throws(SystemError) {
            let connection = try connect(path, while: lives)
            if let listener {
                let peer = try SystemError.check("getsockopt") { clinux_unix_peer(connection.number) }
                guard peer == listener else { return "\(path): pid \(peer) listens there, not pid \(listener)" }
            }
            try send(message(arguments, environment), over: connection)
            let answer = try receive(from: connection)
            return answer == "ok\n" ? nil : reason(in: answer)
        } catch {
            return "\(path): \(error.operation): \(error.reason)"
        }
    }

    private static func reason(in answer: String) -> String {
        let refused = "refused: "
        let line = answer.prefix { $0 != "\n" }
        if line.isEmpty { return "it gave no answer" }
        return String(line.hasPrefix(refused) ? line.dropFirst(refused.count) : line)
    }

    private static func connect(_ path: String, while lives: () -> Bool) throws(SystemError) -> Descriptor {
        for _ in 1..<listensWithin where lives() {
            let number = clinux_connect_unix(path, patience)
            if number >= 0 { return Descriptor(owning: number) }
            guard errno == ENOENT || errno == ECONNREFUSED else { break }
            usleep(lookEvery)
        }
        return Descriptor(owning: try SystemError.check("connect") { clinux_connect_unix(path, patience) })
    }

    /// Strings of C, `A` before an argument and `E` before a variable, and an empty one at the end.
    static func message(_ arguments: [String], _ environment: [EnvironmentVariable]) -> [UInt8] {
        let strings = arguments.map { "A" + $0 } + environment.map { "E\($0.name)=\($0.value.reveal())" }
        return strings.flatMap { Array($0.utf8) + [0] } + [0]
    }

    private static func send(_ bytes: [UInt8], over connection: Descriptor) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            sent += try SystemError.check("send") {
                bytes[sent...].withUnsafeBytes {
                    Glibc.send(connection.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
            }
        }
    }

    private static func receive(from connection: Descriptor) throws(SystemError) -> String {
        var answer: [UInt8] = []
        while answer.last != 0x0A, answer.count < answerLimit {
            var piece = [UInt8](repeating: 0, count: 512)
            let count = try SystemError.check("recv") {
                piece.withUnsafeMutableBytes { recv(connection.number, $0.baseAddress, $0.count, 0) }
            }
            if count == 0 { break }
            answer += piece.prefix(count)
        }
        return String(decoding: answer, as: UTF8.self)
    }
}
