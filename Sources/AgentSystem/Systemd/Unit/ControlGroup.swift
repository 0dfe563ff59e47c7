internal import CLinux
internal import Glibc

/// The engine's cgroup, named by the unit's `ControlGroup`.
struct ControlGroup: Equatable, Sendable {
    /// Such as `/system.slice/crosslogic-engine.service`; empty for a unit that has none.
    var name: String

    var folder: String { "/sys/fs/cgroup\(name)" }
    var eventsFile: String { "\(folder)/cgroup.events" }

    /// A group that is gone, or never was, is empty.
    var isEmpty: Bool {
        guard !name.isEmpty, let bytes = try? LinuxFileStore().read(eventsFile, limit: 4096) else { return true }
        return String(decoding: bytes, as: UTF8.self).contains("populated 0")
    }

    /// Whether nothing of the engine is left: what PID 1 runs for the unit's end is in the group, too.
    func isEmpty(but controlPID: Int32?) -> Bool {
        isEmpty || controlPID.map { pids == [$0] } ?? false
    }

    /// The number that sockets carry of the group they were made in; nil for a group that is gone.
    var id: UInt64? {
        var status = stat()
        return !name.isEmpty && stat(folder, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    func contains(_ pid: Int32) -> Bool { pids.contains(pid) }

    private var pids: [Int32] {
        guard let bytes = try? LinuxFileStore().read("\(folder)/cgroup.procs", limit: 1 << 20) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { Int32($0) }
    }

    /// Whether a socket made by one of the group's processes listens on the port. No pid can be mistaken in this, and
    /// it needs no view of other users' processes.
    func listens(onTCPPort port: UInt16) -> Bool {
        guard let id else { return false }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 16) { ids in
            let count = clinux_listener_cgroups(port, ids.baseAddress, Int32(ids.count))
            return count > 0 && ids.prefix(Int(count)).contains(id)
        }
    }
}
