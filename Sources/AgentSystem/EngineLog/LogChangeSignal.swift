internal import Dispatch
internal import Glibc

/// Says that it is worth looking at a log again: inotify says so at once, a clock once a second, because inotify
/// is blind on network file systems, can overflow, and watches may be used up. Without inotify the clock ticks four
/// times a second.
///
/// Used on one queue only. Silent while disarmed, so that a flood nobody reads costs nothing.
final class LogChangeSignal {
    enum Role: Hashable {
        case folder
        /// Of the file that a link leads to.
        case targetFolder
        case openFile
        /// A file that has taken the path but is still empty.
        case nextFile
    }

    enum Watching {
        case begun
        /// The same as before, or nothing to watch.
        case unchanged
    }

    private let inotify: Descriptor?
    private let source: (any DispatchSourceRead)?
    private let clock: any DispatchSourceTimer
    private var watches: [Role: Int32] = [:]
    private var isArmed = false

    /// Calls `changed` on the queue, with `true` when it is the clock that calls.
    init(queue: DispatchQueue, usesInotify: Bool = true, changed: @escaping @Sendable (_ isClock: Bool) -> Void) {
        let inotify = usesInotify ? Self.open() : nil
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
        let pause = inotify == nil ? 0.25 : 1
        clock.schedule(deadline: .now() + pause, repeating: pause, leeway: .milliseconds(50))
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
    @discardableResult
    func watch(_ role: Role, _ path: String) -> Watching {
        guard let inotify else { return .unchanged }
        let isFolder = role == .folder || role == .targetFolder
        let mask = isFolder ? IN_CREATE | IN_MOVED_TO : IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF
        let watch = inotify_add_watch(inotify.number, path, UInt32(mask))
        let old = watches[role]
        if let old, old != watch, !watches.contains(where: { $0.key != role && $0.value == old }) {
            // Fails for a file that is gone, whose watch the kernel has removed.
            _ = inotify_rm_watch(inotify.number, old)
        }
        watches[role] = watch == -1 ? nil : watch
        return watch == -1 || watch == old ? .unchanged : .begun
    }

    /// nil when the user has as many instances as the kernel allows.
    private static func open() -> Descriptor? {
        try? Descriptor(
            owning: SystemError.check("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
    }

    /// The events themselves say nothing that a look at the files does not say better.
    private static func drain(_ inotify: Descriptor) {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            while read(inotify.number, buffer.baseAddress, buffer.count) > 0 {}
        }
    }
}
