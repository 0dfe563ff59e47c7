internal import CLinux
internal import CSystemd
internal import Glibc

/// The listening socket that the service manager holds while no agent runs (`FileDescriptorStoreMax=` of the unit): who
/// connects during a restart, a crash or an upgrade waits in its queue and is answered by the next agent.
package struct KeptListener: Sendable {
    /// What the manager calls it (`FDNAME`).
    private let name: String

    package init(_ name: String) {
        self.name = name
    }

    /// The socket that an earlier agent left with the manager, where it listens at this place; port 0 fits any. The
    /// caller owns it. One that listens elsewhere is from before the settings were changed: the manager lets go of it.
    ///
    /// To be called once, and before anything that opens descriptors of its own.
    package func take(host: String, port: UInt16) -> Int32? {
        let kept = passedDescriptors()
        let found = kept.first { clinux_listens_at($0, host, port) == 1 }
        for descriptor in kept where descriptor != found { close(descriptor) }
        if kept.count > (found == nil ? 0 : 1) {
            // By name, and so all of them; the one that fits is kept again.
            _ = sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=\(name)")
            if let found { keep(found) }
        }
        return found
    }

    /// The manager gets a duplicate. It is asked for nothing where it keeps none.
    package func keep(_ descriptor: Int32) {
        // FDPOLL: the manager would let go of a descriptor in which epoll sees an error.
        let words = "FDSTORE=1\nFDPOLL=0\nFDNAME=\(name)"
        _ = withUnsafePointer(to: descriptor) { sd_pid_notify_with_fds(0, 0, words, $0, 1) }
    }

    /// Of our name. All that were passed are close-on-exec from here on; others are somebody's drop-in, and stay.
    private func passedDescriptors() -> [Int32] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(0, &names)
        guard count > 0, let names else { return [] }
        defer {
            for index in 0..<Int(count) { free(names[index]) }
            free(names)
        }
        // SD_LISTEN_FDS_START
        return (0..<Int(count)).filter { names[$0].map { String(cString: $0) } == name }.map { Int32($0) + 3 }
    }
}
