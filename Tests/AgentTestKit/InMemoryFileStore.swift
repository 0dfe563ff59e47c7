package import AgentCore
internal import Locking

/// Stands in for the disk; can be told to be full.
package final class InMemoryFileStore: FileStore {
    private struct State {
        var files: [String: [UInt8]] = [:]
        var modes: [String: UInt32] = [:]
        var isFull = false
    }

    private let state = Mutex(State())

    package init(executables: [String] = []) {
        for path in executables { state.withLock { $0.files[path] = [] } }
    }

    package func setFull(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

    package func mode(_ path: String) -> UInt32? { state.withLock { $0.modes[path] } }

    package func text(_ path: String) -> String? {
        state.withLock { $0.files[path] }.map { String(decoding: $0, as: UTF8.self) }
    }

    package func read(_ path: String, limit: Int) throws(FileFailure) -> [UInt8]? {
        state.withLock { $0.files[path] }.map { Array($0.prefix(limit)) }
    }

    package func writeAtomically(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure) {
        let isFull = state.withLock { state in
            if !state.isFull {
                state.files[path] = bytes
                state.modes[path] = mode
            }
            return state.isFull
        }
        if isFull { throw FileFailure(operation: "write", path: path, errno: 28, reason: "No space left on device") }
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

    package func list(_ folder: String) throws(FileFailure) -> [String] {
        let names = state.withLock { state in
            state.files.keys.filter { $0.hasPrefix(folder + "/") }.map { path in
                String(path.dropFirst(folder.count + 1).prefix { $0 != "/" })
            }
        }
        return Set(names).sorted()
    }

    package func isExecutable(_ path: String) -> Bool { state.withLock { $0.files[path] != nil } }
}
