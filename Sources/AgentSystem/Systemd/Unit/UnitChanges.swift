internal import Dispatch
internal import Glibc

/// Says that it is worth looking how the engine's unit ends: its exit was recorded, or its cgroup is empty.
///
/// Used on one queue only.
final class UnitChanges {
    private let inotify: Descriptor
    private let source: any DispatchSourceRead

    /// Calls `changed` on the queue.
    init(
        _ group: ControlGroup, records folder: String, queue: DispatchQueue, changed: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        let inotify = try Descriptor(
            owning: SystemError.check("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
        self.inotify = inotify
        // Renamed into place. A cgroup that is gone by now has nothing to tell.
        _ = inotify_add_watch(inotify.number, folder, UInt32(IN_MOVED_TO))
        _ = inotify_add_watch(inotify.number, group.eventsFile, UInt32(IN_MODIFY) | UInt32(IN_DELETE_SELF))
        source = DispatchSource.makeReadSource(fileDescriptor: inotify.number, queue: queue)
        source.setEventHandler {
            withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
                while read(inotify.number, buffer.baseAddress, buffer.count) > 0 {}
            }
            changed()
        }
        // libdispatch must have let go of the descriptor before it is closed.
        source.setCancelHandler { withExtendedLifetime(inotify) {} }
        source.activate()
    }

    deinit {
        source.cancel()
    }
}
