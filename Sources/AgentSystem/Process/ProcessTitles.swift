/// Titles of processes, read anew only when the process has changed its name.
///
/// Reading a command line waits for the process's memory lock, which an engine that maps a model can hold for long;
/// `stat` never waits. Programs that set a title change their name as the last step of it.
struct ProcessTitles: Sendable {
    private var known: [ProcessIdentity: (command: String, title: String)] = [:]

    /// Forgets the processes that are not asked about.
    mutating func titles(
        of processes: [ProcessStat], read: (ProcessStat) -> String = ProcessTable.title
    ) -> [String] {
        var kept: [ProcessIdentity: (command: String, title: String)] = [:]
        let titles = processes.map { process in
            let entry = known[process.identity].flatMap { $0.command == process.command ? $0 : nil }
            let title = entry?.title ?? read(process)
            kept[process.identity] = (process.command, title)
            return title
        }
        known = kept
        return titles
    }
}
