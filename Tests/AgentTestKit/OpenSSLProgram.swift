internal import Glibc

/// The `openssl` program, running. Whoever started it reaps it and closes its output.
package struct OpenSSLProgram: Sendable {
    package struct Failure: Error {
        package var message: String
    }

    let pid: pid_t
    let output: Int32

    static func start(_ arguments: [String]) throws -> OpenSSLProgram {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(message: "pipe: errno \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var words: [UnsafeMutablePointer<CChar>?] = (["openssl"] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        words.append(nil)
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, "openssl", &actions, nil, words, environ)
        guard code == 0 else {
            close(ends[0])
            throw Failure(message: "cannot start openssl (is it installed?): errno \(code)")
        }
        return OpenSSLProgram(pid: pid, output: ends[0])
    }

    /// nil when it has said everything.
    func readSome() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(output, &buffer, buffer.count)
        return count > 0 ? Array(buffer.prefix(count)) : nil
    }
}
