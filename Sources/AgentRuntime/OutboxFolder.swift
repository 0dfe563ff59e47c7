internal import AgentCore
internal import AgentWire
internal import Locking

/// The outbox on disk: a file per event, named by its number. The newest that was acknowledged stays under another
/// name, so that its number is not used again.
///
/// Every call waits for the disk, so that they run on a queue of their own and not on Swift's cooperative pool.
actor OutboxFolder {
    struct Recovered: Sendable {
        var events: [OutboxEvent] = []
        /// The highest number ever used; 0 for none.
        var last: UInt64 = 0
        /// What could not be taken over, in words.
        var problems: [String] = []
        /// Files that were set aside.
        var damaged = 0
    }

    private static let maximumRecordBytes = 256 * 1024
    /// Room that is taken from the start, so that the events that matter fit on a disk that is full.
    static let reserveBytes = 256 * 1024
    /// The oldest of those set aside go first.
    static let maximumParked = 1024
    /// How names end.
    private static let (events, markers) = (".json", ".acknowledged")

    nonisolated let executor = QueueExecutor(label: "io.crosslogic.outbox")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let folder: String
    private let files: any FileStore
    private var hasReserve = false
    /// The number that is kept; 0 for none.
    private var marked: UInt64 = 0

    init(_ folder: String, files: any FileStore) {
        self.folder = folder
        self.files = files
    }

    /// Answers whether there is room for more than what matters.
    func store(_ event: OutboxEvent) throws(FileFailure) -> Bool {
        // What is only told in passing may wait for the disk, or be told without it.
        if !event.isDecisive { try renewReserve() }
        let record = event.record
        do throws(FileFailure) {
            try files.writeAtomically(record, to: path(event.sequence), mode: 0o600)
        } catch {
            guard event.isDecisive, error.isNoRoom, hasReserve else { throw error }
            hasReserve = false
            try files.remove(reserve)
            try files.writeAtomically(record, to: path(event.sequence), mode: 0o600)
        }
        try? renewReserve()
        return hasReserve
    }

    /// Takes the room for events that matter, unless it is there.
    func keepReserve() throws(FileFailure) {
        guard !hasReserve else { return }
        if let there = try files.read(reserve, limit: Self.reserveBytes), there.count == Self.reserveBytes {
            hasReserve = true
            return
        }
        // Not zeros, which some file systems do not store.
        let bytes = [UInt8](repeating: 0x2E, count: Self.reserveBytes)
        try files.writeForThisBoot(bytes, to: reserve, mode: 0o600)
        hasReserve = true
    }

    /// Whether anything can be written again.
    func probe() throws(FileFailure) {
        guard hasReserve else { return try keepReserve() }
        let path = "\(folder)/probe"
        // More than the room of the few events that have just been delivered.
        try files.writeForThisBoot([UInt8](repeating: 0x2E, count: Self.reserveBytes / 4), to: path, mode: 0o600)
        try files.remove(path)
    }

    /// The same once it has been given up: had again only where others find room beside it.
    private func renewReserve() throws(FileFailure) {
        guard !hasReserve else { return }
        if let free = files.freeBytes(below: folder), free <= 4 * Self.reserveBytes {
            throw FileFailure(operation: "write", path: reserve, errno: 28, reason: "No space left on device")
        }
        try keepReserve()
    }

    /// For an event that no longer counts.
    func discard(_ sequence: UInt64) throws(FileFailure) {
        try files.remove(path(sequence))
    }

    /// Nothing here waits for the disk, which the next event may need: after a power cut an event may come back, whose id
    /// the receiver knows, but no number.
    func forget(_ sequences: [UInt64]) throws(FileFailure) {
        guard let last = sequences.max() else { return }
        var failure: FileFailure?
        do throws(FileFailure) {
            if last > marked { try mark(last) }
        } catch {
            // The event was taken: its file goes nevertheless.
            failure = error
        }
        for sequence in sequences where sequence != marked { try files.remove(path(sequence)) }
        if let failure { throw failure }
    }

    /// The event was synced under its name and a rename is whole, so one of the two names outlives any crash.
    private func mark(_ sequence: UInt64) throws(FileFailure) {
        do throws(FileFailure) {
            try files.move(path(sequence), to: marker(sequence))
        } catch {
            // It was never on disk, or is among the parked ones.
            try writeMarker(sequence)
        }
        if marked > 0 { try files.remove(marker(marked)) }
        marked = sequence
    }

    /// A disk that takes no file at all may rename the one there is.
    private func writeMarker(_ sequence: UInt64) throws(FileFailure) {
        do throws(FileFailure) {
            try files.writeAtomically([], to: marker(sequence), mode: 0o600)
        } catch {
            guard marked > 0 else { throw error }
            try files.move(marker(marked), to: marker(sequence))
        }
    }

    /// Sets an event aside that the other side will never take.
    func park(_ event: OutboxEvent) throws(FileFailure) {
        let parked = "\(folder)/parked/\(name(event.sequence))"
        var failure: FileFailure?
        do throws(FileFailure) {
            if event.isStored {
                try files.move(path(event.sequence), to: parked)
            } else {
                try files.writeAtomically(event.record, to: parked, mode: 0o600)
            }
        } catch {
            failure = error
        }
        try forget([event.sequence])
        if let failure { throw failure }
        for name in try files.list("\(folder)/parked").dropLast(Self.maximumParked) {
            try files.remove("\(folder)/parked/\(name)")
        }
    }

    /// What an earlier agent did not deliver. Each file by itself: one that cannot be read is set aside in `bad/` and
    /// takes nothing else with it.
    func recover() -> Recovered {
        var recovered = Recovered()
        let sequences = sequences(in: folder, &recovered)
        // Names first: whatever the files hold, no number is used twice.
        let aside = self.sequences(in: "\(folder)/parked", &recovered) + self.sequences(in: "\(folder)/bad", &recovered)
        let markers = self.sequences(in: folder, named: Self.markers, &recovered)
        marked = markers.max() ?? 0
        // Of an agent that died between a marker and the removal of the one before.
        for older in markers where older < marked { try? files.remove(marker(older)) }
        recovered.last = max((sequences + aside).max() ?? 0, marked)
        for sequence in sequences.sorted() {
            do throws(FileFailure) {
                recovered.events += try event(sequence, &recovered).map { [$0] } ?? []
            } catch {
                setAside(sequence, because: error.message, &recovered)
            }
        }
        return recovered
    }

    private func event(_ sequence: UInt64, _ recovered: inout Recovered) throws(FileFailure) -> OutboxEvent? {
        guard let record = try files.read(path(sequence), limit: Self.maximumRecordBytes) else { return nil }
        if let event = OutboxEvent(sequence: sequence, record: record) { return event }
        setAside(sequence, because: "\(path(sequence)): is no event", &recovered)
        return nil
    }

    private func setAside(_ sequence: UInt64, because reason: String, _ recovered: inout Recovered) {
        recovered.damaged += 1
        recovered.problems.append("\(reason); set aside in \(folder)/bad")
        do throws(FileFailure) {
            try files.move(path(sequence), to: "\(folder)/bad/\(name(sequence))")
        } catch {
            recovered.problems.append(error.message)
        }
    }

    private func sequences(
        in folder: String, named suffix: String = events, _ recovered: inout Recovered
    ) -> [UInt64] {
        do throws(FileFailure) {
            // Sixteen digits, as this agent writes them: no other name can make the numbers overflow.
            return try files.list(folder).filter { $0.hasSuffix(suffix) && $0.utf8.count == 16 + suffix.utf8.count }
                .compactMap { UInt64($0.dropLast(suffix.utf8.count)) }
        } catch {
            recovered.problems.append(error.message)
            return []
        }
    }

    private var reserve: String { "\(folder)/reserve" }
    private func marker(_ sequence: UInt64) -> String { "\(folder)/\(EventCodec.padded(sequence))\(Self.markers)" }
    private func name(_ sequence: UInt64) -> String { EventCodec.padded(sequence) + Self.events }
    private func path(_ sequence: UInt64) -> String { "\(folder)/\(name(sequence))" }
}

extension FileFailure {
    /// ENOSPC, EDQUOT.
    var isNoRoom: Bool { errno == 28 || errno == 122 }
}
