internal import AgentCore
internal import Dispatch
internal import Glibc
internal import Locking

/// Reads one log on demand, a chunk at a time.
actor LogFollower: EngineLogFollower {
    static let chunkSize = 1 << 16

    private let executor = QueueExecutor(label: "io.crosslogic.engine-log")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    nonisolated let start: Int64
    private let path: String
    private let folder: String
    private var file: Descriptor?
    private var offset: Int64
    private var signal: LogChangeSignal?

    private var waiter: CheckedContinuation<Void, Never>?
    /// Counts waits, so that a late cancellation cannot end the wait of a later call.
    private var wait = 0
    private var isFinishing = false

    init(path: String, file: Descriptor?, offset: Int64) {
        self.path = path
        self.file = file
        self.offset = offset
        start = offset
        folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// For one reader at a time.
    func next() async -> [UInt8]? {
        if signal == nil { startSignal() }
        while !Task.isCancelled {
            switch step() {
            case .read:
                if let bytes = read() { return bytes }
            case .startOver:
                offset = 0
            case .open:
                guard !openNext() else { continue }
                if isFinishing { return nil }
                await waitForChange()
            case .wait:
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

    private func step() -> LogFollowing.Step {
        let atPath = regularFile(at: path)
        let opened = file.flatMap(Self.facts)
        let step = LogFollowing.step(path: atPath, open: opened, offset: offset)
        if step == .wait, let atPath, let opened, !atPath.isSame(as: opened) { signal?.watch(.nextFile, path) }
        return step
    }

    /// nil when the file was cut after it was looked at; the next look says so.
    private func read() -> [UInt8]? {
        guard let bytes = try? file?.read(upTo: Self.chunkSize, at: offset), !bytes.isEmpty else { return nil }
        offset += Int64(bytes.count)
        return bytes
    }

    /// False when the path has become something else in the meantime, or may not be read.
    private func openNext() -> Bool {
        guard let opened = try? EngineLogFile.openForReading(path) else { return false }
        file = opened.file
        offset = 0
        watchFile()
        return true
    }

    private func regularFile(at path: String) -> LogFollowing.File? {
        var status = stat()
        guard lstat(path, &status) == 0, FileKind(mode: status.st_mode) == .regular else { return nil }
        return LogFollowing.File(status)
    }

    private static func facts(_ file: Descriptor) -> LogFollowing.File? {
        (try? file.status()).map(LogFollowing.File.init)
    }

    // MARK: Waiting

    private func startSignal() {
        signal = LogChangeSignal(queue: executor.queue) { [weak self] isClock in
            self?.assumeIsolated { $0.changed(isClock) }
        }
        signal?.watch(.folder, folder)
        watchFile()
    }

    private func watchFile() {
        // By descriptor: the path may lead to another file by now.
        if let file { signal?.watch(.openFile, "/proc/self/fd/\(file.number)") }
    }

    private func changed(_ isClock: Bool) {
        // A folder that was deleted and made again needs a new watch.
        if isClock { signal?.watch(.folder, folder) }
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

extension LogFollowing.File {
    init(_ status: stat) {
        self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size))
    }
}
