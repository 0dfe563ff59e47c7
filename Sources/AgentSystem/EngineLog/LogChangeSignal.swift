internal import Dispatch
internal import Glibc

/// Says that it is worth looking at a log again: inotify says so at once, a clock once a second, because inotify
/// is blind on network file systems, can overflow, and watches may be used up.
///
/// Used on one queue only. Silent while disarmed, so that a flood nobody reads costs nothing.
final class LogChangeSignal {
    enum Role: Hashable {
        case folder
        case openFile
        /// A file that has taken the path but is still empty.
        case nextFile
    }

    private let inotify: Descriptor?
    private let source: (any DispatchSourceRead)?
    private let clock: any DispatchSourceTimer
    private var watches: [Role: Int32] = [:]
    private var isArmed = false

    /// Calls `changed` on the queue, with `true` when it is the clock that calls.
    init(queue: DispatchQueue, changed: @escaping @Sendable (_ isClock: Bool) -> Void) {
        let inotify = try? Descriptor(
            owning: SystemError.check("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
        self.inotify = inotify
        source = inotify.map { inotify in
            let source = DispatchSource.makeReadSource(fileDescriptor: inotify.number, queue: queue)
            source.setEventHandler {
                Self.drain(inotify)
                changed(false)
            }
            // libdispatch must have let go of the descriptor before it is closed.
            source.setCancelHandler { withExtendedLifetime(inotify) {} }
            return source
        }
        clock = DispatchSource.makeTimerSource(queue: queue)
        clock.schedule(deadline: .now() + 1, repeating: 1, leeway: .milliseconds(100))
        clock.setEventHandler { changed(true) }
        clock.activate()
    }

    deinit {
        clock.cancel()
        // A suspended source may not be released.
        arm()
        source?.cancel()
    }

    func arm() {
        guard !isArmed else { return }
        isArmed = true
        source?.resume()
    }

    func disarm() {
        guard isArmed else { return }
        isArmed = false
        source?.suspend()
    }

    /// Watches what is at the path now instead of what this role watched before. Asking twice costs nothing.
    func watch(_ role: Role, _ path: String) {
        guard let inotify else { return }
        let mask = role == .folder ? IN_CREATE | IN_MOVED_TO : IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF
        let watch = inotify_add_watch(inotify.number, path, UInt32(mask))
        if let old = watches[role], old != watch, !watches.contains(where: { $0.key != role && $0.value == old }) {
            // Fails for a file that is gone, whose watch the kernel has removed.
            _ = inotify_rm_watch(inotify.number, old)
        }
        watches[role] = watch == -1 ? nil : watch
    }

    /// The events themselves say nothing that a look at the files does not say better.
    private static func drain(_ inotify: Descriptor) {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            while read(inotify.number, buffer.baseAddress, buffer.count) > 0 {}
        }
    }
}
