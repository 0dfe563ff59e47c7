/// One line of `/proc/<pid>/stat`.
struct ProcessStat: Equatable, Sendable {
    var pid: Int32
    /// At most 15 bytes, chosen by the process itself.
    var command: String
    var state: UInt8
    var parent: Int32
    var session: Int32
    /// User plus system time, in clock ticks.
    var cpuTicks: UInt64
    /// Clock ticks after boot. With the pid it names a process for good, as the pid alone does not.
    var startTime: UInt64
    var residentPages: UInt64
    /// Pages of mapped files that had to be read from a disk.
    var majorFaults: UInt64

    var identity: ProcessIdentity { ProcessIdentity(pid: pid, startTime: startTime) }

    /// Dead but for its exit status. (A leader whose other threads live on shows the same letter: before a process
    /// is called dead its pidfd is asked.)
    var isZombie: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }

}

extension ProcessStat {
    /// nil for bytes that are not such a line.
    init?(_ line: [UInt8]) {
        // The command may hold anything, `) R 1` included; the last parenthesis is the one that closes it.
        guard let open = line.firstIndex(of: UInt8(ascii: "(")), let close = line.lastIndex(of: UInt8(ascii: ")")),
            open < close,
            let pid = Int32(String(decoding: line[..<open], as: UTF8.self).prefix { $0 != " " })
        else { return nil }
        // Numbered as in proc(5), which counts from 1: the state after the command is field 3.
        let fields = line[(close + 1)...].split(separator: UInt8(ascii: " "))
        func field<Number: FixedWidthInteger>(_ number: Int) -> Number? {
            guard fields.indices.contains(number - 3) else { return nil }
            return Number(String(decoding: fields[number - 3], as: UTF8.self))
        }
        guard let state = fields.first?.first, let parent: Int32 = field(4), let session: Int32 = field(6),
            let majorFaults: UInt64 = field(12),
            let user: UInt64 = field(14), let system: UInt64 = field(15), let startTime: UInt64 = field(22),
            let residentPages: UInt64 = field(24)
        else { return nil }
        self.init(
            pid: pid, command: String(decoding: line[(open + 1)..<close], as: UTF8.self), state: state, parent: parent,
            session: session, cpuTicks: user &+ system, startTime: startTime, residentPages: residentPages,
            majorFaults: majorFaults)
    }
}

/// A process, told apart from a later one with the same pid.
struct ProcessIdentity: Hashable, Sendable {
    var pid: Int32
    /// Clock ticks after boot.
    var startTime: UInt64
}
