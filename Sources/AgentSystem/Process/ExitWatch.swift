internal import Dispatch

/// Calls back once, on the queue, when a process has ended. Holds the pidfd until libdispatch has let go of it:
/// closing it earlier would make libdispatch watch whatever gets the same number next.
final class ExitWatch {
    let handle: ProcessHandle
    private let source: any DispatchSourceRead

    /// Leaves the group `open` when the descriptor is no longer used.
    init(
        _ handle: ProcessHandle, on queue: DispatchQueue, open: DispatchGroup, ended: @escaping @Sendable () -> Void
    ) {
        self.handle = handle
        source = DispatchSource.makeReadSource(fileDescriptor: handle.descriptor.number, queue: queue)
        open.enter()
        // A pidfd stays readable, so without the cancel the handler would run again and again.
        source.setEventHandler { [source] in
            guard !source.isCancelled else { return }
            source.cancel()
            ended()
        }
        source.setCancelHandler {
            withExtendedLifetime(handle) {}
            open.leave()
        }
        source.activate()
    }

    deinit {
        source.cancel()
    }
}
