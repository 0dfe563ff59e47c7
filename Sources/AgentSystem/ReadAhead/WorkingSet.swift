package import AgentCore
internal import Glibc

/// The engine's program files: its virtual environment, and the Python that one was made from.
package struct WorkingSet {
    private static let maximumDepth = 24
    private static let maximumFiles = 100_000

    private var files: [ReadAheadPlan.File] = []
    private var looked = 0

    /// What of them is in memory now. Takes seconds of a core.
    package static func resident(engine executable: String) -> ReadAheadPlan {
        var set = WorkingSet()
        for folder in folders(of: executable) { set.walk(folder, depth: 0) }
        return ReadAheadPlan(files: set.files)
    }

    /// The engine's virtual environment, links resolved.
    package static func environment(of executable: String) -> String? {
        realPath(executable).map { parent(parent($0)) }
    }

    /// `bin` and `lib` beside the executable, links resolved, and the standard library of the interpreter.
    static func folders(of executable: String) -> [String] {
        guard let prefix = environment(of: executable) else { return [] }
        var folders = ["\(prefix)/bin", "\(prefix)/lib"]
        guard let python = realPath("\(prefix)/bin/python3") ?? realPath("\(prefix)/bin/python") else { return folders }
        let library = "\(parent(parent(python)))/lib"
        let names = (try? LinuxFileStore().list(library)) ?? []
        folders += names.filter { $0.hasPrefix("python3") || $0.hasPrefix("libpython3") }.map { "\(library)/\($0)" }
        return folders.filter { !$0.isEmpty }
    }

    private mutating func walk(_ path: String, depth: Int) {
        guard depth < Self.maximumDepth, looked < Self.maximumFiles else { return }
        switch FileKind(at: path) {
        case .directory:
            for name in (try? LinuxFileStore().list(path)) ?? [] { walk("\(path)/\(name)", depth: depth + 1) }
        case .regular:
            looked += 1
            // A line break in a name would be two lines of the plan.
            guard !path.contains("\n"), let ranges = ResidentPages.ranges(of: path), !ranges.isEmpty else { return }
            files.append(ReadAheadPlan.File(path: path, ranges: ranges))
        default: break
        }
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return String(path[..<slash])
    }
}
