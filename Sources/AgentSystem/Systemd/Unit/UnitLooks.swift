internal import AgentCore
internal import Dispatch
internal import Glibc
internal import Locking

/// Looks at the engine's processes through the door: the agent's own view of /proc does not hold them.
actor UnitLooks {
    private let executor = QueueExecutor(label: "io.crosslogic.engine-looks")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let door: EngineDoor
    private let isPlanned = Mutex(false)
    private let pageSize = UInt64(sysconf(Int32(_SC_PAGESIZE)))

    init(_ path: String) {
        door = EngineDoor(path, on: executor)
    }

    /// Calls `seen` on a queue of its own; one look at a time, however often it is asked for.
    nonisolated func look(at place: EnginePlace, seen: @escaping @Sendable ([(ProcessIdentity, EngineProcess)]) -> Void)
    {
        let isFirst = isPlanned.withLock { isPlanned in
            defer { isPlanned = true }
            return !isPlanned
        }
        guard isFirst else { return }
        executor.queue.async {
            self.isPlanned.withLock { $0 = false }
            self.assumeIsolated { seen($0.processes(place)) }
        }
    }

    private func processes(_ place: EnginePlace) -> [(ProcessIdentity, EngineProcess)] {
        guard case .success(let answer) = door.askHere(.processes, place), answer.isDone else { return [] }
        return Self.parse(answer.lines, pageSize: pageSize)
    }

    /// Two lines for each: its `/proc/PID/stat` and its command line.
    static func parse(_ lines: [String], pageSize: UInt64) -> [(ProcessIdentity, EngineProcess)] {
        stride(from: 0, to: lines.count - 1, by: 2).compactMap { index in
            guard let process = ProcessStat(Array(lines[index].utf8)), !process.isZombie else { return nil }
            let words = lines[index + 1].split(separator: " ")
            let line = String(lines[index + 1].prefix(256)).trimmingBlanks
            let title = words.first.flatMap { $0.hasPrefix("VLLM::") ? String($0) : nil } ?? line
            var seen = EngineProcess(
                pid: process.pid, parent: process.parent, title: title.isEmpty ? process.command : title,
                cpuTicks: process.cpuTicks, residentBytes: process.residentPages * pageSize)
            // What it reads by read(2) is in /proc/PID/io, which is for its own user.
            seen.diskBytes = process.majorFaults * pageSize
            return (process.identity, seen)
        }
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        String(reversed().drop { $0 == " " }.reversed())
    }
}
