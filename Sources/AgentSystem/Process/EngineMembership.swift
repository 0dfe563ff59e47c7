/// Which processes of the machine belong to an engine.
///
/// An engine is its session, whatever left the session while its parent stayed, and whatever left both: such
/// orphans come to the agent, because the agent is their subreaper.
struct EngineMembership: Equatable, Sendable {
    /// Session id: the pid of the engine's first process.
    var session: Int32
    /// Start time of that process; members are not older.
    var since: UInt64
    var agent: Int32
    var agentSession: Int32
    /// Whether orphans of the agent belong to this engine. Programs the agent runs for itself stay in its own
    /// session, so a child outside of it has come from the engine.
    var adoptsOrphans: Bool

    /// `others` are sessions of engines that are not this one.
    func members(of table: [ProcessStat], without others: Set<Int32> = []) -> [ProcessStat] {
        var children: [Int32: [ProcessStat]] = [:]
        for process in table where process.startTime >= since {
            children[process.parent, default: []].append(process)
        }
        var found: Set<Int32> = []
        var members: [ProcessStat] = []
        var waiting = table.filter { isRoot($0) && !others.contains($0.session) }
        while let process = waiting.popLast() {
            guard found.insert(process.pid).inserted else { continue }
            members.append(process)
            waiting += children[process.pid] ?? []
        }
        return members.sorted { $0.pid < $1.pid }
    }

    private func isRoot(_ process: ProcessStat) -> Bool {
        guard process.startTime >= since, process.pid != agent else { return false }
        if process.session == session { return true }
        return adoptsOrphans && process.parent == agent && process.session != agentSession
    }
}
