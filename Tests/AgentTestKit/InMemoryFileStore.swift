package import AgentCore
internal import Locking

/// Stands in for the disk; can be told to be full, and announces what was written.
package final class InMemoryFileStore: FileStore {
    private struct State {
        var files: [String: [UInt8]] = [:]
        var modes: [String: UInt32] = [:]
        var isFull = false
        var capacity: Int?

        func hasRoom(for count: Int, at path: String) -> Bool {
            guard let capacity else { return !isFull }
            return used(without: path) + count <= capacity && !isFull
        }

        var free: UInt64 {
            if isFull { return 0 }
            return capacity.map { UInt64(max(0, $0 - used())) } ?? 1 << 40
        }

        private func used(without path: String = "") -> Int {
            files.filter { $0.key != path }.values.reduce(0) { $0 + $1.count }
        }
    }

    /// Paths, in the order they were written.
    package let writes: AsyncStream<String>
    private let wrote: AsyncStream<String>.Continuation
    private let state = Mutex(State())

    package init(executables: [String] = []) {
        (writes, wrote) = AsyncStream.makeStream()
        for path in executables { state.withLock { $0.files[path] = [] } }
    }

    package func setFull(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

    /// In bytes, over all files; nil for as many as one likes.
    package func setCapacity(_ bytes: Int?) { state.withLock { $0.capacity = bytes } }

    package func mode(_ path: String) -> UInt32? { state.withLock { $0.modes[path] } }

    package func text(_ path: String) -> String? {
        state.withLock { $0.files[path] }.map { String(decoding: $0, as: UTF8.self) }
    }

    package func read(_ path: String, limit: Int) throws(FileFailure) -> [UInt8]? {
        guard let bytes = state.withLock({ $0.files[path] }) else { return nil }
        guard bytes.count <= limit else {
            throw FileFailure(operation: "read", path: path, errno: 27, reason: "File too large")
        }
        return bytes
    }

    package func writeAtomically(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure) {
        let isFull = state.withLock { state in
            guard state.hasRoom(for: bytes.count, at: path) else { return true }
            state.files[path] = bytes
            state.modes[path] = mode
            return false
        }
        if isFull { throw FileFailure(operation: "write", path: path, errno: 28, reason: "No space left on device") }
        wrote.yield(path)
    }

    package func writeForThisBoot(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure) {
        try writeAtomically(bytes, to: path, mode: mode)
    }

    package func remove(_ path: String) throws(FileFailure) {
        state.withLock { state in
            state.files[path] = nil
            state.modes[path] = nil
        }
    }

    package func move(_ path: String, to newPath: String) throws(FileFailure) {
        let isMoved = state.withLock { state in
            guard let bytes = state.files.removeValue(forKey: path) else { return false }
            state.files[newPath] = bytes
            state.modes[newPath] = state.modes.removeValue(forKey: path)
            return true
        }
        if !isMoved { throw FileFailure(operation: "rename", path: path, errno: 2, reason: "No such file") }
    }

    package func list(_ folder: String) throws(FileFailure) -> [String] {
        let names = state.withLock { state in
            state.files.keys.filter { $0.hasPrefix(folder + "/") }.map { path in
                String(path.dropFirst(folder.count + 1).prefix { $0 != "/" })
            }
        }
        return Set(names).sorted()
    }

    package func isExecutable(_ path: String) -> Bool { state.withLock { $0.files[path] != nil } }

    package func freeBytes(below folder: String) -> UInt64? { state.withLock { $0.free } }
}
