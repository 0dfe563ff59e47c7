internal import AgentCore
internal import Dispatch

/// Watches the engine's processes other than the main one, each by its pidfd, and tells the end of each once.
///
/// Used on one queue only.
final class MemberWatches {
    private struct Watched {
        var watch: ExitWatch
        /// As it was seen last: a process takes its title only when it has begun.
        var process: EngineProcess
    }

    /// An engine has a handful of processes and workers; compilers come and go by the dozen.
    private static let capacity = 256

    private let queue: DispatchQueue
    private let open: DispatchGroup
    private let ended: @Sendable (EngineProcess) -> Void
    private var watched: [ProcessIdentity: Watched] = [:]

    /// Calls `ended` on the queue. `open` is left when no descriptor is used any more.
    init(on queue: DispatchQueue, open: DispatchGroup, ended: @escaping @Sendable (EngineProcess) -> Void) {
        self.queue = queue
        self.open = open
        self.ended = ended
    }

    /// `forget` is called on the queue with the identity of a process that has ended, and must lead to `end`.
    func watch(
        _ identity: ProcessIdentity, _ process: EngineProcess,
        open handle: (ProcessIdentity) -> ProcessHandle.Opening = ProcessHandle.open,
        forget: @escaping @Sendable (ProcessIdentity) -> Void
    ) {
        if watched[identity] != nil {
            watched[identity]?.process = process
            return
        }
        guard watched.count < Self.capacity, case .opened(let handle) = handle(identity) else { return }
        let watch = ExitWatch(handle, on: queue, open: open) { forget(identity) }
        watched[identity] = Watched(watch: watch, process: process)
    }

    func end(_ identity: ProcessIdentity) {
        guard let last = watched.removeValue(forKey: identity) else { return }
        ended(last.process)
    }

    func stop() {
        watched.removeAll()
    }
}
