internal import AgentCore
internal import Locking

/// Whether the control plane wants the heartbeat told, and how often: it says so with its answers to polls.
///
/// A header and no part of the assignment: it holds for nodes that wait for one, changes without a new generation, and
/// comes with every answer, the one that says "nothing new" too.
final class PushWish: Sendable {
    static let header = "crosslogic-heartbeat-interval"
    /// Seconds that it may ask for.
    static let range = 1...3600

    /// Something else is wanted now.
    let changed = Signal()
    private let wanted = Mutex<Duration?>(nil)

    /// nil: none is wanted.
    var interval: Duration? { wanted.withLock { $0 } }

    /// Of an answer to a poll. What comes from somebody in between, as 502 does, says nothing.
    func note(_ response: HTTPResponse) {
        guard [200, 304, 404].contains(response.status) else { return }
        let seconds = response.headers[Self.header].flatMap { Int($0) }.flatMap { Self.range.contains($0) ? $0 : nil }
        let interval = seconds.map { Duration.seconds($0) }
        let isNews = wanted.withLock { wanted in
            defer { wanted = interval }
            return wanted != interval
        }
        if isNews { changed.raise() }
    }
}
