internal import Glibc

/// The path of a log and what stands there.
struct LogPath: Sendable {
    let path: String
    let links: InotifyLogSource.Links

    init(_ path: String, links: InotifyLogSource.Links) {
        self.path = path
        self.links = links
    }

    var folder: String { Self.folder(of: path) }

    /// The folder of the file that a link at the path leads to, where it is another one: that is where it is rotated.
    var targetFolder: String? {
        guard links == .followed, FileKind(at: path) == .link else { return nil }
        // The file itself may have been renamed away.
        guard let target = Self.resolved(path) ?? linkTarget, let resolved = Self.resolved(Self.folder(of: target))
        else { return nil }
        return resolved == Self.resolved(folder) ? nil : resolved
    }

    private var linkTarget: String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let target = String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
        return target.hasPrefix("/") ? target : "\(folder)/\(target)"
    }

    private static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Names of a log's rotated files begin with this: `vllm` of `vllm.log`, `vllm.log.1` and `vllm-20261121.log`.
    var stem: Substring {
        let name = path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
        return name.dropFirst().firstIndex(of: ".").map { name[..<$0] } ?? name
    }

    /// The regular file at the path; nil where there is none, or something else.
    func file() -> LogFollowing.File? {
        var status = stat()
        let result = links == .followed ? stat(path, &status) : lstat(path, &status)
        guard result == 0, FileKind(mode: status.st_mode) == .regular else { return nil }
        return LogFollowing.File(status)
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }
}
