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
    private static let inductor = "torch_compile_cache/inductor/"
    /// Seconds: as mounted by default (relatime), a file that is read again has that written down once a day.
    private static let readsCountWithin: Int64 = 86_400

    let root: String
    private(set) var entries: [Entry] = []

    init(root: String) throws(FileFailure) {
        self.root = root
        for folder in CacheBundle.folders { try walk(folder, depth: 0) }
    }

    /// Everything of those caches that changed since then; everything at all where none did.
    func bundle(since limit: Int64) throws(CacheFault) -> CacheBundle {
        let fresh = Set(entries.filter { isFresh($0, since: limit) }.map { Self.cache(of: $0.file.path) })
        let compiled = entries.contains { !isSmall($0) && $0.changedAt >= limit }
        guard compiled else { return try CacheBundle(entries.map(\.file)) }
        let kept = entries.filter { isSmall($0) || fresh.contains(Self.cache(of: $0.file.path)) }
        return try CacheBundle(kept.map(\.file))
    }

    /// What a start of the inductor's finds there it reads; of the others all that one made is one folder.
    private func isFresh(_ entry: Entry, since limit: Int64) -> Bool {
        guard entry.file.path.hasPrefix(Self.inductor) else { return entry.changedAt >= limit }
        return entry.usedAt >= limit - Self.readsCountWithin
    }

    /// What is found by its name alone, and is a few kilobytes.
    private func isSmall(_ entry: Entry) -> Bool { !entry.file.path.hasPrefix("torch_compile_cache/") }

    /// The folder of one compilation, which is of use as a whole or not at all. The inductor's has files of all models,
    /// each found by its own name.
    static func cache(of path: String) -> String {
        if path.hasPrefix(inductor) { return path }
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
