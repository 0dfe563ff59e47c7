package import AgentCore
internal import Glibc

/// Between the engine's cache folder and a staging folder: `index`, and the contents in parts of one size.
///
/// Runs as the engine's user, so that neither the agent can write where the engine reads code from, nor the engine
/// where the agent's signed copies lie.
package enum CachePacking {
    package static let indexName = "index"

    package static func partName(_ number: Int) -> String {
        let digits = String(number)
        return "part-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }

    /// `reference` is a file written just before the engine was executed.
    package static func pack(root: String, into folder: String, since reference: String) throws(FileFailure) {
        try clean(folder)
        let tree = try CacheTree(root: root)
        let begin = changeTime(of: reference)
        defer { try? CachePruning.prune(tree, usedSince: begin) }
        let bundle: CacheBundle
        do throws(CacheFault) {
            bundle = try tree.bundle(since: begin)
        } catch {
            throw FileFailure(operation: "pack", path: root, errno: EFBIG, reason: error.reason)
        }
        var part = PartWriter(folder: folder)
        for file in bundle.files { try part.append(file, below: root) }
        try part.finish()
        try write(Array(bundle.lines.joined(separator: "\n").utf8), to: "\(folder)/\(indexName)")
    }

    package static func index(in folder: String) throws(FileFailure) -> CacheBundle {
        let path = "\(folder)/\(indexName)"
        guard let bytes = try LinuxFileStore().read(path, limit: CacheBundle.maximumTextBytes) else {
            throw SystemError(operation: "open", code: ENOENT).on(path)
        }
        do throws(CacheFault) {
            return try CacheBundle(lines: String(decoding: bytes, as: UTF8.self).split(separator: "\n"))
        } catch {
            throw FileFailure(operation: "read", path: path, errno: EINVAL, reason: "it has \(error.reason)")
        }
    }

    package static func clean(_ folder: String) throws(FileFailure) {
        for name in try LinuxFileStore().list(folder) where name == indexName || name.hasPrefix("part-") {
            try LinuxFileStore().remove("\(folder)/\(name)")
        }
    }

    /// Whatever the umask says.
    static func makeEmpty(_ folder: String, mode: mode_t) throws(FileFailure) {
        try LinuxFileStore().createFolders(folder)
        do throws(SystemError) {
            try SystemError.check("chmod") { chmod(folder, mode) }
        } catch {
            throw error.on(folder)
        }
        try clean(folder)
    }

    private static func changeTime(of path: String) -> Int64 {
        var status = stat()
        return lstat(path, &status) == 0 ? Int64(status.st_mtim.tv_sec) : 0
    }

    private static func write(_ bytes: [UInt8], to path: String) throws(FileFailure) {
        try LinuxFileStore().writeForThisBoot(bytes, to: path, mode: 0o644)
    }
}

/// Writes contents one behind the other into files of one size.
struct PartWriter {
    let folder: String
    private var number = 0
    private var part: Descriptor?
    private var room = 0

    init(folder: String) { self.folder = folder }

    mutating func append(_ file: CacheBundle.File, below root: String) throws(FileFailure) {
        let path = "\(root)/\(file.path)"
        do throws(SystemError) {
            let source = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            let before = try source.status()
            var offset: Int64 = 0
            while offset < Int64(file.bytes) {
                let chunk = try source.read(upTo: min(1 << 16, Int(file.bytes) - Int(offset)), at: offset)
                if chunk.isEmpty { break }
                try append(chunk)
                offset += Int64(chunk.count)
            }
            // The engine still works on it: what was packed would be torn, and signed all the same.
            guard try source.status().isSame(as: before), before.st_size == Int64(file.bytes) else {
                throw SystemError(operation: "read", code: ESTALE)
            }
        } catch {
            throw error.on(path)
        }
    }

    private mutating func append(_ bytes: [UInt8]) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if room == 0 { try next() }
            let piece = rest.prefix(room)
            try part?.write(Array(piece))
            room -= piece.count
            rest = rest.dropFirst(piece.count)
        }
    }

    private mutating func next() throws(SystemError) {
        let path = "\(folder)/\(CachePacking.partName(number))"
        part = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644)
        number += 1
        room = Int(CacheBundle.partBytes)
    }

    mutating func finish() throws(FileFailure) { part = nil }
}

extension stat {
    /// As large, and not written to meanwhile.
    fileprivate func isSame(as other: stat) -> Bool {
        (st_size, st_mtim.tv_sec, st_mtim.tv_nsec) == (other.st_size, other.st_mtim.tv_sec, other.st_mtim.tv_nsec)
    }
}
