internal import AgentCore
internal import Dispatch
internal import Locking

/// Reads one log on demand, a chunk at a time.
actor LogFollower: EngineLogFollower {
    private let executor = QueueExecutor(label: "io.crosslogic.engine-log")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let path: LogPath
    private let usesInotify: Bool
    private var file: FollowedFile?
    private var signal: LogChangeSignal?

    private var replayed: LogReplay?
    /// Where following began; nil before there was a file.
    private var origin: LogPosition?
    /// How many bytes `next` has given out, and where the first of them from the open file, or from it since it was
    /// cut, stands in both.
    private var given: Int64 = 0
    private var stretch: (given: Int64, offset: Int64) = (0, 0)
    private var lastGiven: UInt8?

    private var waiter: CheckedContinuation<Void, Never>?
    /// Counts waits, so that a late cancellation cannot end the wait of a later call.
    private var wait = 0
    private var isFinishing = false

    /// Without inotify the clock has to do.
    init(_ path: LogPath, opened: EngineLogFile.Opened?, from start: LogStart, usesInotify: Bool = true) {
        self.path = path
        self.usesInotify = usesInotify
        var file: FollowedFile?
        switch start {
        case .end: file = opened.map { FollowedFile($0.file, offset: $0.size) }
        case .beginning: file = opened.map { FollowedFile($0.file, offset: 0) }
        case .offset(let offset):
            file = opened.map { FollowedFile($0.file, offset: (0...$0.size).contains(offset) ? offset : 0) }
        case .checkpoint(let checkpoint):
            // Not the one at the path: that is the next one, unless it is found to be this one.
            guard let found = LogSearch.find(checkpoint.understood, path) else { break }
            file = FollowedFile(found, offset: checkpoint.understood.offset)
            let first = LogSearch.find(checkpoint.origin, path)
            replayed = LogReplay(origin: first, understood: found, checkpoint)
            origin = first == nil ? nil : checkpoint.origin
        }
        self.file = file
        guard let file else { return }
        stretch.offset = file.offset
        if origin == nil { origin = file.position(at: file.offset) }
    }

    func replay() async -> [UInt8]? { replayed?.next() }

    /// For one reader at a time.
    func next() async -> [UInt8]? {
        replayed = nil
        if signal == nil { startSignal() }
        while !Task.isCancelled {
            switch step() {
            case .read(let size):
                switch file?.read(upTo: size) {
                case .bytes(let bytes):
                    if let bytes = take(bytes) { return bytes }
                case .wasCut: startOver()
                // A disk that fails may recover: tried again with the clock.
                case .failed, nil:
                    if isFinishing { return nil }
                    await waitForChange()
                }
            case .compare(let modified):
                if file?.compare(modified: modified) == false { startOver() }
            case .startOver:
                startOver()
            case .open where openNext():
                if let end = endOfLine() { return end }
            case .open, .wait:
                if isFinishing { return nil }
                await waitForChange()
            }
        }
        return nil
    }

    nonisolated func finish() {
        executor.queue.async {
            self.assumeIsolated {
                $0.isFinishing = true
                $0.resumeWaiter()
            }
        }
    }

    func isAtEnd(behind count: Int64) async -> Bool {
        guard replayed == nil, count == given else { return false }
        switch step() {
        case .wait, .compare: return true
        case .read, .startOver, .open: return false
        }
    }

    func checkpoint(behind count: Int64) async -> LogCheckpoint? {
        guard let origin, count >= stretch.given, count <= given,
            let understood = file?.position(at: stretch.offset + count - stretch.given)
        else { return nil }
        return LogCheckpoint(origin: origin, understood: understood)
    }
}

// MARK: - Reading

extension LogFollower {
    private func step() -> LogFollowing.Step {
        // First the path: what a writer adds to the open file before it turns to another one is seen by the second look.
        let atPath = path.file()
        let opened = file?.facts
        let step = LogFollowing.step(
            path: atPath, open: opened, offset: file?.offset ?? 0, compared: file?.compared)
        guard step == .wait, let atPath, let opened, !atPath.isSame(as: opened) else { return step }
        // It may have been written to before it was watched.
        return signal?.watch(.nextFile, path.path) == .begun ? self.step() : step
    }

    /// nil for nothing.
    private func take(_ bytes: [UInt8]) -> [UInt8]? {
        // The first bytes of a stretch can stand behind a hole.
        if given == stretch.given, let file { stretch.offset = file.offset - Int64(bytes.count) }
        return bytes.isEmpty ? nil : give(bytes)
    }

    private func give(_ bytes: [UInt8]) -> [UInt8] {
        given += Int64(bytes.count)
        lastGiven = bytes.last
        return bytes
    }

    /// A line does not go on in another file.
    private func endOfLine() -> [UInt8]? {
        guard let lastGiven, lastGiven != .newline, lastGiven != .carriageReturn else { return nil }
        defer { stretch.given = given }
        return give([.newline])
    }

    private func startOver() {
        let isOrigin = file?.facts.map { $0.inode == origin?.inode && $0.device == origin?.device } ?? false
        file?.startOver()
        beginStretch()
        if isOrigin { origin = file?.position(at: 0) }
    }

    /// False when the path has become something else in the meantime, or may not be read.
    private func openNext() -> Bool {
        guard let opened = try? EngineLogFile.openForReading(path) else { return false }
        let next = FollowedFile(opened.file, offset: 0)
        file = next
        beginStretch()
        origin = origin ?? next.position(at: 0)
        watchFile()
        return true
    }

    private func beginStretch() {
        stretch = (given, file?.offset ?? 0)
    }
}

// MARK: - Waiting

extension LogFollower {
    private func startSignal() {
        signal = LogChangeSignal(queue: executor.queue, usesInotify: usesInotify) { [weak self] isClock in
            self?.assumeIsolated { $0.changed(isClock) }
        }
        watchFolders()
        watchFile()
    }

    private func watchFolders() {
        signal?.watch(.folder, path.folder)
        if let target = path.targetFolder { signal?.watch(.targetFolder, target) }
    }

    private func watchFile() {
        if let file { signal?.watch(.openFile, file.pathOfDescriptor) }
    }

    private func changed(_ isClock: Bool) {
        // A folder that was deleted and made again needs a new watch.
        if isClock { watchFolders() }
        // Nothing to wake the reader for: other files come and go in the folder, and the clock ticks.
        if waiter != nil, step() != .wait { resumeWaiter() }
    }

    private func waitForChange() async {
        wait += 1
        let number = wait
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiter = continuation
                signal?.arm()
            }
        } onCancel: {
            executor.queue.async { self.assumeIsolated { $0.cancel(wait: number) } }
        }
    }

    /// Runs behind the job that began the wait, so the continuation is there.
    private func cancel(wait number: Int) {
        if number == wait { resumeWaiter() }
    }

    private func resumeWaiter() {
        signal?.disarm()
        waiter?.resume()
        waiter = nil
    }
}
