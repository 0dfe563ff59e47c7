internal import AgentCore
internal import AgentWire
internal import Locking

/// The heartbeat as it is sent: rendered once for each snapshot, however many ask.
///
/// Everything in it is of the moment at which the snapshot was taken, and so are its times. Rendering takes longer than
/// all the rest of an answer.
final class HeartbeatDocument: Sendable {
    private struct Rendered {
        var version: NodeView.Version
        var bytes: [UInt8]
    }

    private let view: NodeView
    private let clocks: any Clocks
    private let last = Mutex<Rendered?>(nil)

    init(_ view: NodeView, clocks: any Clocks) {
        self.view = view
        self.clocks = clocks
    }

    /// nil before the first event was handled.
    var bytes: [UInt8]? {
        guard let version = view.version else { return nil }
        if let known = last.withLock({ $0?.version == version ? $0?.bytes : nil }) { return known }
        guard let (node, version) = view.read() else { return nil }
        // The wall clock may be stepped meanwhile; the boot clock may not.
        let takenAt = clocks.wallTime() - (clocks.now() - node.takenAt).inSeconds
        let bytes = SnapshotCodec.heartbeat(
            node, outbox: version.outbox, sequence: version.sequence, wallTime: takenAt
        ).rendered()
        last.withLock { $0 = Rendered(version: version, bytes: bytes) }
        return bytes
    }
}
