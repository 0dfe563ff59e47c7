internal import AgentCore
internal import Glibc

/// The files below the engine's cache folder that are worth carrying.
struct CacheTree {
    struct Entry {
        var file: CacheBundle.File
        /// Seconds since 1970.
        var changedAt: Int64
        /// Read or written. Systems that do not count reads tell the last writing.
        var usedAt: Int64
    }

    private static let maximumDepth = 12

    let root: String
    private(set) var entries: [Entry] = []

    init(root: String) throws(FileFailure) {
        self.root = root
        for folder in CacheBundle.folders { try walk(folder, depth: 0) }
    }

    /// Everything of those caches that changed since then; everything at all where none did.
    func bundle(since limit: Int64) throws(CacheFault) -> CacheBundle {
        let fresh = Set(entries.filter { $0.changedAt >= limit }.map { Self.cache(of: $0.file.path) })
        let compiled = fresh.contains { $0.hasPrefix("torch_compile_cache/") }
        let kept = compiled ? entries.filter { isSmall($0) || fresh.contains(Self.cache(of: $0.file.path)) } : entries
        return try CacheBundle(kept.map(\.file))
    }

    /// What is found by its name alone, and is a few kilobytes.
    private func isSmall(_ entry: Entry) -> Bool { !entry.file.path.hasPrefix("torch_compile_cache/") }

    /// The folder of one compilation, which is of use as a whole or not at all.
    static func cache(of path: String) -> String {
        let parts = path.split(separator: "/")
        return parts.prefix(parts.count > 2 && parts[1] == "torch_aot_compile" ? 3 : 2).joined(separator: "/")
    }

    private mutating func walk(_ folder: String, depth: Int) throws(FileFailure) {
        guard depth < Self.maximumDepth, FileKind(at: "\(root)/\(folder)") == .directory else { return }
        for name in try LinuxFileStore().list("\(root)/\(folder)") where !Self.isTransient(name) {
            var status = stat()
            let path = "\(folder)/\(name)"
            // Gone since it was listed: the engine works here, too.
            guard lstat("\(root)/\(path)", &status) == 0 else { continue }
            switch FileKind(mode: status.st_mode) {
            case .directory: try walk(path, depth: depth + 1)
            case .regular where entries.count <= CacheBundle.maximumFiles:
                let file = CacheBundle.File(
                    path: path, bytes: UInt64(status.st_size), isExecutable: status.st_mode & 0o100 != 0)
                let changedAt = Int64(status.st_mtim.tv_sec)
                let usedAt = max(changedAt, Int64(status.st_atim.tv_sec))
                entries.append(Entry(file: file, changedAt: changedAt, usedAt: usedAt))
            default: break
            }
        }
    }

    /// Locks and half-written files of the compilers.
    private static func isTransient(_ name: String) -> Bool {
        name.hasSuffix(".lock") || name.hasSuffix(".tmp") || name.contains(".tmp.") || name.hasPrefix(".tmp")
    }
}
