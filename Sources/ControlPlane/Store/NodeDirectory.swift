internal import AgentCore
internal import Locking

/// What every request of a node is checked against, in memory: the polls and heartbeats of a fleet would otherwise be
/// ten thousand queries a second. Some two hundred bytes a node.
///
/// The database comes first: an entry is written after its commit, so a crash in between leaves nothing here that is
/// not there.
package final class NodeDirectory: Sendable {
    package struct Entry: Equatable, Sendable {
        package var token: TokenDigest
        package var generation: Int64
        /// How often something was said about the node's end.
        package var endRevision: Int64 = 0
        package var isRevoked: Bool
        /// How this process found the node; nil where it had never reported anything.
        package var past: FleetLiveness.Past?

        var tag: String { EntityTag.of(generation: generation, endRevision: endRevision) }
    }

    private let entries: Mutex<[String: Entry]>

    init(_ entries: [String: Entry]) {
        self.entries = Mutex(entries)
    }

    package subscript(id: String) -> Entry? {
        entries.withLock { $0[id] }
    }

    package var count: Int {
        entries.withLock { $0.count }
    }

    /// Of those that were heard before this process started, and are not revoked.
    package var past: [String: FleetLiveness.Past] {
        entries.withLock { $0.filter { !$0.value.isRevoked }.compactMapValues(\.past) }
    }

    package var revoked: Set<String> {
        entries.withLock { Set($0.filter(\.value.isRevoked).keys) }
    }

    func add(_ id: String, token: TokenDigest) {
        entries.withLock {
            $0[id] = Entry(token: token, generation: 1, endRevision: 0, isRevoked: false)
        }
    }

    /// Two changes may arrive here in another order than they were committed in.
    func advance(_ id: String, to generation: Int64) {
        entries.withLock { entries in
            guard let current = entries[id]?.generation else { return }
            entries[id]?.generation = max(current, generation)
        }
    }

    func announceEnd(_ id: String, revision: Int64) {
        entries.withLock { entries in
            guard let current = entries[id]?.endRevision else { return }
            entries[id]?.endRevision = max(current, revision)
        }
    }

    func revoke(_ id: String) {
        entries.withLock { $0[id]?.isRevoked = true }
    }
}
