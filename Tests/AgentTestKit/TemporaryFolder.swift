internal import Glibc

/// A folder of a test's own, removed with everything in it when the last reference goes.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() {
        var template = Array("/tmp/agent-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            fatalError("cannot make a folder in /tmp: \(String(cString: strerror(errno)))")
        }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        Self.removeTree(path)
    }

    /// Links are removed, not followed.
    private static func removeTree(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR, let stream = opendir(path) {
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { removeTree("\(path)/\(name)") }
            }
        }
        remove(path)
    }

    package func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Replaces the file's content.
    package func write(_ text: String, to name: String, mode: UInt32 = 0o644) {
        put(Array(text.utf8), name, O_WRONLY | O_CREAT | O_TRUNC)
        chmod(file(name), mode)
    }

    package func append(_ bytes: [UInt8], to name: String) {
        put(bytes, name, O_WRONLY | O_CREAT | O_APPEND)
    }

    /// nil when there is no such file. At most 1 MiB.
    package func text(of name: String) -> String? {
        let descriptor = open(file(name), O_RDONLY | O_CLOEXEC)
        guard descriptor != -1 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    private func put(_ bytes: [UInt8], _ name: String, _ flags: Int32) {
        let descriptor = open(file(name), flags | O_CLOEXEC, 0o644)
        precondition(descriptor != -1, "cannot open \(file(name)): \(String(cString: strerror(errno)))")
        defer { close(descriptor) }
        let written = Glibc.write(descriptor, bytes, bytes.count)
        precondition(written == bytes.count, "short write to \(file(name))")
    }
}
