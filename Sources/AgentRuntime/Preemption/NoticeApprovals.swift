internal import Locking

/// Notices whose cloud may go ahead, for the pollers to pass on.
final class NoticeApprovals: Sendable {
    private struct Pending {
        var bySource: [String: [String]] = [:]
    }

    private let pending = Mutex(Pending())

    /// A notice's id begins with its source's name.
    func add(_ noticeID: String) {
        guard let source = noticeID.split(separator: "/").first.map(String.init) else { return }
        pending.withLock { $0.bySource[source, default: []].append(noticeID) }
    }

    func take(_ source: String) -> [String] {
        pending.withLock { $0.bySource.removeValue(forKey: source) ?? [] }
    }
}
