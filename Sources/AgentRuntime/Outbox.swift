internal import AgentCore
internal import AgentWire
internal import Locking

/// Where events go now.
struct EventTarget: Sendable {
    var url: String
    /// Only for the control plane itself: the node token is not shown to other hosts.
    var bearer: Secret?
    var signingSecret: Secret?
}

/// Events on their way to the control plane: ordered, on disk before they are sent, removed once acknowledged.
///
/// `add` is called by the run loop and only queues. Disk and network belong to `run`, the outbox's own task.
final class Outbox: Sendable {
    struct Item: Sendable {
        var sequence: UInt64
        var id: String
        var body: [UInt8]
        var kind: ReportKind?
    }

    private struct State {
        var queue: [Item] = []
        var nextSequence: UInt64 = 1
        var target: EventTarget
    }

    /// Beyond this the oldest phase events would help nobody; the network has been away for hours.
    static let capacity = 4096
    private static let maximumEventBytes = 256 * 1024

    private let state: Mutex<State>
    private let folder: String
    private let files: any FileStore
    private let wake: AsyncStream<Void>.Continuation
    /// Yields when something may have been added; never more than one wake-up is kept.
    let wakes: AsyncStream<Void>

    init(folder: String, files: any FileStore, target: EventTarget) {
        self.folder = folder
        self.files = files
        state = Mutex(State(target: target))
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var pending: Int { state.withLock { $0.queue.count } }

    func setTarget(_ target: EventTarget) {
        state.withLock { $0.target = target }
    }

    /// Renders one event under the next sequence number and queues it.
    ///
    /// In a full outbox the oldest phase event makes room: it says the least. Answers how many events were dropped.
    @discardableResult
    func add(_ kind: ReportKind, id: String, render: (UInt64) -> [UInt8]) -> Int {
        let dropped = state.withLock { state in
            var dropped = 0
            if state.queue.count >= Self.capacity {
                dropped = 1
                // The first one is being sent.
                guard let oldest = state.queue.indices.dropFirst().first(where: { state.queue[$0].kind == .phase })
                else { return dropped }
                state.queue.remove(at: oldest)
            }
            let sequence = state.nextSequence
            state.nextSequence += 1
            state.queue.append(Item(sequence: sequence, id: id, body: render(sequence), kind: kind))
            return dropped
        }
        wake.yield()
        return dropped
    }

    /// Takes over what an earlier agent did not deliver. Must come before the first `add`.
    func recover() throws(FileFailure) {
        var recovered: [Item] = []
        var last: UInt64 = 0
        if let bytes = try files.read(marker, limit: 64), let number = UInt64(String(decoding: bytes, as: UTF8.self)) {
            last = number
        }
        for name in try files.list(folder) where name.hasSuffix(".json") {
            guard let sequence = UInt64(name.dropLast(5)) else { continue }
            last = max(last, sequence)
            guard let body = try files.read("\(folder)/\(name)", limit: Self.maximumEventBytes),
                let event = try? JSONValue.parse(body), let id = event["id"]?.stringValue
            else { continue }
            recovered.append(Item(sequence: sequence, id: id, body: body, kind: nil))
        }
        recovered.sort { $0.sequence < $1.sequence }
        state.withLock { state in
            state.queue = recovered
            state.nextSequence = last + 1
        }
        wake.yield()
    }

    func first() -> (item: Item, target: EventTarget)? {
        state.withLock { state in state.queue.first.map { ($0, state.target) } }
    }

    func persist(_ item: Item) throws(FileFailure) {
        try files.writeAtomically(item.body, to: path(item), mode: 0o600)
    }

    /// The marker is written before the file goes, so that no crash between the two can make a number rise twice.
    func remove(_ item: Item) throws(FileFailure) {
        state.withLock { state in
            if state.queue.first?.sequence == item.sequence { state.queue.removeFirst() }
        }
        try files.writeAtomically([UInt8](String(item.sequence).utf8), to: marker, mode: 0o600)
        try files.remove(path(item))
    }

    /// Sets an event aside that the other side will never take.
    func park(_ item: Item) throws(FileFailure) {
        try files.writeAtomically(
            item.body, to: "\(folder)/parked/\(EventCodec.padded(item.sequence)).json", mode: 0o600)
        try remove(item)
    }

    private var marker: String { "\(folder)/last-acknowledged" }

    private func path(_ item: Item) -> String { "\(folder)/\(EventCodec.padded(item.sequence)).json" }
}
