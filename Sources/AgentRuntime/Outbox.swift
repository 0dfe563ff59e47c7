internal import AgentCore
internal import AgentWire
internal import Locking

/// Events on their way to the control plane: ordered, on disk before they are sent, gone once acknowledged.
///
/// `add` is called by the run loop and only queues; `EventSender` stores and delivers.
final class Outbox: Sendable {
    private struct State {
        var queue = OutboxQueue()
        var routes: EventRoutes
        var isLeaving = false
        /// Delivered out of turn: forgotten when their turn comes, so that the marker on disk only rises.
        var taken: Set<UInt64> = []
        /// Why the disk takes nothing; nil while it does.
        var diskProblem: String?
        var counters = OutboxCounters()
    }

    let folder: OutboxFolder
    private let log: any OperatorLog
    private let state: Mutex<State>
    /// What a successor needs, settled between the storing of events and their delivery.
    let handovers: HandoverFile?
    /// Whoever stores while another does waits for that one, instead of writing the same events again.
    private let turns = OneAtATime()

    /// Something is to be stored.
    let added = Signal()
    /// Something is to be delivered, and the disk had its chance.
    let deliverable = Signal()
    /// A try that waits may go now.
    let mayTry = Signal()

    init(
        folder: String, files: any FileStore, controlPlane: EventTarget, log: any OperatorLog,
        handovers: HandoverFile? = nil
    ) {
        self.folder = OutboxFolder(folder, files: files)
        self.handovers = handovers
        self.log = log
        state = Mutex(State(routes: EventRoutes(controlPlane: controlPlane)))
    }

    /// To be delivered now.
    var pending: Int { state.withLock { $0.queue.events.count - $0.queue.deferredCount } }
    var events: [OutboxEvent] { state.withLock { $0.queue.events } }
    var first: OutboxEvent? { state.withLock { $0.queue.firstWaiting } }
    var newest: UInt64 { state.withLock { $0.queue.events.last?.sequence ?? 0 } }
    /// The next one for the same callback.
    func behind(_ event: OutboxEvent) -> OutboxEvent? {
        waiting(for: event.callbackURL).first { $0.sequence > event.sequence }
    }
    /// As many as fit into a request, from the first on, that are for one callback and not taken out of turn.
    func waiting(for callbackURL: String?) -> [OutboxEvent] {
        state.withLock { $0.queue.next(EventBatch.maximumCount, for: callbackURL, except: $0.taken) }
    }
    /// Why events and notices cannot be kept on disk; nil while they can.
    var diskProblem: String? { state.withLock { $0.diskProblem } }
    var figures: OutboxFigures {
        state.withLock { state in
            let deferred = state.queue.deferredCount
            return OutboxFigures(
                pending: state.queue.events.count - deferred, dropped: state.counters.dropped,
                parked: state.counters.parked + deferred, damaged: state.counters.damaged)
        }
    }
    /// The agent is on its way out: a try now is worth more than patience.
    var isLeaving: Bool { state.withLock { $0.isLeaving } }

    /// Events, and the handover as it is with them: whoever sees the one sees the other.
    ///
    /// Answers how many events were dropped to make room. See `OutboxQueue`.
    @discardableResult
    func add(_ drafts: [Draft], handover: Handover?) -> Int {
        let (dropped, isNews) = state.withLock { state in
            var dropped = 0
            for draft in drafts {
                dropped += state.queue.add(
                    draft.kind, id: draft.id, for: state.routes.callbackURL, render: draft.render)
            }
            state.counters.dropped += dropped
            return (dropped, handovers?.keep(handover) ?? false)
        }
        if isNews || !drafts.isEmpty { added.raise() }
        return dropped
    }

    func event(_ id: String) -> OutboxEvent? {
        state.withLock { $0.queue.events.last { $0.id == id } }
    }

    func isPending(_ event: OutboxEvent) -> Bool {
        state.withLock { $0.queue.events.contains { $0.sequence == event.sequence } }
    }

    /// Somebody has taken it out of turn.
    func markTaken(_ event: OutboxEvent) {
        state.withLock { _ = $0.taken.insert(event.sequence) }
        mayTry.raise()
    }

    func wasTaken(_ event: OutboxEvent) -> Bool {
        state.withLock { $0.taken.remove(event.sequence) != nil }
    }
}

// MARK: Refused as things are

extension Outbox {
    /// It stays where it is, on disk too, so that the next agent tries it again.
    func setAside(_ event: OutboxEvent) {
        state.withLock { $0.queue.setAside(event.sequence) }
    }

    func setAsideAll(for callbackURL: String?, through newest: UInt64) {
        state.withLock { $0.queue.setAsideAll(for: callbackURL, through: newest) }
    }

    /// False where there are none.
    func takeUpDeferred() -> Bool {
        state.withLock { $0.queue.takeUpAgain() }
    }

    /// The next to be delivered, and the oldest of those set aside for the same callback that it would overtake: of one
    /// moment, since `retryDeferred` may come at any.
    var turn: (event: OutboxEvent, overtakes: OutboxEvent?)? {
        state.withLock { state in
            guard let event = state.queue.firstWaiting else { return nil }
            let before = state.queue.events.prefix { $0.sequence < event.sequence }
            return (event, before.first { $0.isDeferred && $0.callbackURL == event.callbackURL })
        }
    }

    /// This node may be let in again.
    func retryDeferred() {
        guard takeUpDeferred() else { return }
        deliverable.raise()
        mayTry.raise()
    }
}

// MARK: Where events go

extension Outbox {
    func target(for event: OutboxEvent) -> EventTarget? {
        state.withLock { $0.routes.target(for: event.callbackURL) }
    }

    /// Where an event of now would go.
    var urgentURL: String {
        state.withLock { ($0.routes.target(for: $0.routes.callbackURL) ?? $0.routes.controlPlane).url }
    }

    /// Must come before the first event of the assignment is added.
    func follow(_ assignment: Assignment) {
        state.withLock { $0.routes.follow(assignment) }
        mayTry.raise()
    }

    /// The control plane answers, and there is no assignment that could name a callback.
    func expectNoAssignment() {
        if state.withLock({ $0.routes.expectNoAssignment() }) { mayTry.raise() }
    }

    /// The last events are added: nothing is waited for any more, neither long nor for an assignment.
    func leave() {
        state.withLock { state in
            state.isLeaving = true
            _ = state.routes.expectNoAssignment()
        }
        mayTry.raise()
    }
}

// MARK: Disk

extension Outbox {
    /// Takes over what an earlier agent did not deliver. Must come before the first `add`.
    func recover() async {
        let recovered = await folder.recover()
        state.withLock { $0.counters.damaged = recovered.damaged }
        await attempt("keeping room for events") { () async throws(FileFailure) in try await self.folder.keepReserve() }
        for problem in recovered.problems { log.write(.warning, "events of an earlier agent: \(problem)") }
        state.withLock { $0.queue.takeOver(recovered.events, last: recovered.last) }
        added.raise()
    }

    /// Stores every event that is not on disk yet, in order, and ends at the first that cannot be stored. On a disk
    /// without room those that matter go on: there is some for them.
    func storeAll() async {
        await turns.run { await self.storeWaiting() }
    }

    private func storeWaiting() async {
        var isStuck = false
        if diskProblem != nil, state.withLock({ $0.queue.firstUnstored }) == nil {
            let isWritable = await attempt("keeping room for events") { () async throws(FileFailure) in
                try await self.folder.probe()
            }
            if isWritable { sayWritable() }
        }
        repeat {
            isStuck = await !storeEvents()
        } while !isStuck && !freezeHandover()
        // A full disk keeps no event from being told, and no successor from going on.
        if isStuck { handovers?.freeze() }
        await handovers?.settle()
    }

    /// False while an event that the handover counts as told is not stored.
    private func freezeHandover() -> Bool {
        state.withLock { state in
            guard state.queue.firstUnstored == nil else { return false }
            handovers?.freeze()
            return true
        }
    }

    /// Answers whether all are stored.
    private func storeEvents() async -> Bool {
        var isShort = false
        while let event = state.withLock({ isShort ? $0.queue.firstDecisiveUnstored : $0.queue.firstUnstored }) {
            do throws(FileFailure) {
                let hasRoom = try await folder.store(event)
                if hasRoom, !isShort { sayWritable() }
            } catch {
                complain("keeping events on disk", error)
                guard error.isNoRoom, !event.isDecisive else { return false }
                isShort = true
                continue
            }
            // It was dropped or delivered meanwhile.
            if !state.withLock({ $0.queue.markStored(event.sequence) }) { await discard(event.sequence) }
        }
        for sequence in state.withLock({ $0.queue.takeDiscarded() }) { await discard(sequence) }
        return !isShort
    }

    func forget(_ events: [OutboxEvent]) async {
        state.withLock { state in for event in events { state.queue.remove(event.sequence) } }
        await attempt("forgetting a delivered event") { () async throws(FileFailure) in
            try await self.folder.forget(events.map(\.sequence))
        }
    }

    /// Off the queue first: what cannot be set aside must not be sent again and again.
    func park(_ event: OutboxEvent) async {
        state.withLock { state in
            state.queue.remove(event.sequence)
            state.counters.parked += 1
        }
        await attempt("setting a refused event aside") { () async throws(FileFailure) in
            try await self.folder.park(event)
        }
    }

    private func discard(_ sequence: UInt64) async {
        await attempt("discarding an event") { () async throws(FileFailure) in try await self.folder.discard(sequence) }
    }

    /// A full disk must not keep an event from being told; it is said once.
    @discardableResult
    private func attempt(_ what: String, _ body: () async throws(FileFailure) -> Void) async -> Bool {
        do throws(FileFailure) {
            try await body()
            return true
        } catch {
            complain(what, error)
            return false
        }
    }

    /// Only what takes room shows that: a disk that is full renames and removes all the same.
    private func sayWritable() {
        let was = state.withLock { state in
            defer { state.diskProblem = nil }
            return state.diskProblem
        }
        guard was != nil else { return }
        log.write(.notice, "the outbox can write to the disk again")
        // Whoever tells of it sleeps until something is added.
        added.raise()
    }

    private func complain(_ what: String, _ failure: FileFailure) {
        let was = state.withLock { state in
            defer { state.diskProblem = state.diskProblem ?? failure.message }
            return state.diskProblem
        }
        guard was == nil else { return }
        log.write(.warning, "\(what): \(failure.message)")
        added.raise()
    }
}
