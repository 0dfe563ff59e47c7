package import AgentCore
internal import Glibc
internal import Synchronization

/// Small files on a Linux file system. Calls block for as long as the disk does.
package struct LinuxFileStore: FileStore {
    /// Unfinished writes; a crash can leave one behind.
    static let temporarySuffix = ".agent-tmp"

    private static let writes = Atomic<UInt64>(0)

    package init() {}

    /// Throws `EFBIG` rather than hand out a file that was cut off at `limit`.
    package func read(_ path: String, limit: Int) throws(FileFailure) -> [UInt8]? {
        do throws(SystemError) {
            // Non-blocking, because opening a FIFO without a writer would wait for one.
            let file = try Descriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            guard FileKind(mode: try file.status().st_mode) == .regular else {
                throw SystemError(operation: "read", code: EINVAL)
            }
            return try contents(of: file, limit: limit)
        } catch {
            if error.code == ENOENT { return nil }
            throw error.on(path)
        }
    }

    /// Files of /proc and growing files have no size to trust, so this reads until the end or the limit.
    private func contents(of file: Descriptor, limit: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= limit {
            let chunk = try file.read(upTo: min(limit + 1 - bytes.count, 1 << 16), at: Int64(bytes.count))
            if chunk.isEmpty { return bytes }
            bytes += chunk
        }
        throw SystemError(operation: "read", code: EFBIG)
    }

    package func writeAtomically(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure) {
        try replace(path, with: bytes, mode: mode, synced: true)
    }

    package func writeForThisBoot(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure) {
        try replace(path, with: bytes, mode: mode, synced: false)
    }

    /// Without `synced` the content is whole for every reader, but a power cut may lose it.
    func replace(_ path: String, with bytes: [UInt8], mode: UInt32, synced: Bool) throws(FileFailure) {
        let (folder, name) = Self.split(path)
        try createFolders(folder)
        let number = Self.writes.wrappingAdd(1, ordering: .relaxed).newValue
        let temporary = "\(folder)/.\(name).\(getpid()).\(number)\(Self.temporarySuffix)"
        do throws(SystemError) {
            try write(bytes, to: temporary, mode: mode, synced: synced)
            try SystemError.check("rename") { rename(temporary, path) }
        } catch {
            _ = unlink(temporary)
            throw error.on(path)
        }
        guard synced else { return }
        do throws(SystemError) {
            // The rename itself is durable only once the folder is.
            try Descriptor.open(folder, O_RDONLY | O_DIRECTORY).sync()
        } catch {
            throw error.on(folder)
        }
    }

    private func write(_ bytes: [UInt8], to path: String, mode: UInt32, synced: Bool) throws(SystemError) {
        // The name holds this process's id, so whatever stands there was left by a crash long ago.
        _ = unlink(path)
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
        // The umask has no say in it.
        try SystemError.check("fchmod") { fchmod(file.number, mode) }
        try file.write(bytes)
        if synced { try file.sync() }
    }

    package func createFolders(_ folder: String) throws(FileFailure) {
        if mkdir(folder, 0o700) == 0 { return }
        let code = errno
        switch code {
        case EEXIST: return
        case ENOENT where folder != Self.split(folder).folder:
            try createFolders(Self.split(folder).folder)
            if mkdir(folder, 0o700) == 0 || errno == EEXIST { return }
            throw SystemError(operation: "mkdir", code: errno).on(folder)
        default:
            // A folder that is there but may not be created (read-only file system) is good enough to write into.
            if FileKind(at: folder) != nil { return }
            throw SystemError(operation: "mkdir", code: code).on(folder)
        }
    }

    package func remove(_ path: String) throws(FileFailure) {
        guard unlink(path) == -1, errno != ENOENT else { return }
        throw SystemError(operation: "unlink", code: errno).on(path)
    }

    package func move(_ path: String, to newPath: String) throws(FileFailure) {
        try createFolders(Self.split(newPath).folder)
        do throws(SystemError) {
            try SystemError.check("rename") { rename(path, newPath) }
        } catch {
            throw error.on(path)
        }
    }

    package func list(_ folder: String) throws(FileFailure) -> [String] {
        guard let stream = opendir(folder) else {
            let code = errno
            if code == ENOENT { return [] }
            throw SystemError(operation: "opendir", code: code).on(folder)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let name = Self.nextName(stream) {
            if name != ".", name != "..", !name.hasSuffix(Self.temporarySuffix) { names.append(name) }
        }
        return names.sorted()
    }

    static func nextName(_ stream: OpaquePointer) -> String? {
        guard let entry = readdir(stream) else { return nil }
        return withUnsafePointer(to: &entry.pointee.d_name) { name in
            name.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
        }
    }

    package func isExecutable(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0, FileKind(mode: status.st_mode) == .regular else { return false }
        return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0
    }

    private static func split(_ path: String) -> (folder: String, name: Substring) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path[...]) }
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        return (folder, path[path.index(after: slash)...])
    }
}
