internal import Glibc

/// `openssl s_server` on a free loopback port, with a certificate of its own for 127.0.0.1.
package final class TLSTestServer: Sendable {
    package struct Failure: Error {
        package var message: String
    }

    package let port: UInt16
    /// PEM; also the authority that signed it.
    package let certificateFile: String

    private let folder: String
    private let pid: pid_t
    /// Kept open: writing without a reader would end the program.
    private let output: Int32

    /// Blocks until the server listens. Needs the `openssl` program.
    package static func start(subjectAltName: String = "IP:127.0.0.1") async throws -> TLSTestServer {
        try await withCheckedThrowingContinuation { continuation in
            KitThread.start {
                continuation.resume(with: Result { try TLSTestServer(subjectAltName) })
            }
        }
    }

    private init(_ subjectAltName: String) throws {
        var template = Array("/tmp/tls-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(message: "mkdtemp: errno \(errno)") }
        folder = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        certificateFile = "\(folder)/certificate.pem"
        let key = "\(folder)/key.pem"
        let make = try Self.spawn([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=test", "-addext", "subjectAltName=\(subjectAltName)", "-keyout", key, "-out", certificateFile,
        ])
        var status: Int32 = 0
        _ = Self.readAll(make.output)
        waitpid(make.pid, &status, 0)
        guard status == 0 else { throw Failure(message: "openssl req failed: status \(status)") }
        let server = try Self.spawn([
            "s_server", "-accept", "127.0.0.1:0", "-cert", certificateFile, "-key", key, "-www",
        ])
        pid = server.pid
        output = server.output
        guard let port = Self.port(announcedOn: server.output) else {
            kill(server.pid, SIGKILL)
            close(server.output)
            throw Failure(message: "openssl s_server does not listen")
        }
        self.port = port
    }

    /// Ends the program and removes its files.
    package func stop() {
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        close(output)
        for name in ["certificate.pem", "key.pem"] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    // MARK: The program

    private static func spawn(_ arguments: [String]) throws -> (pid: pid_t, output: Int32) {
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
        return (pid, ends[0])
    }

    private static func readAll(_ descriptor: Int32) -> [UInt8] {
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while let more = readSome(descriptor) { bytes += more }
        return bytes
    }

    /// From the line `ACCEPT 127.0.0.1:40000`.
    private static func port(announcedOn descriptor: Int32) -> UInt16? {
        var text = ""
        while let more = readSome(descriptor) {
            text += String(decoding: more, as: UTF8.self)
            for line in text.split(separator: "\n").dropLast(text.hasSuffix("\n") ? 0 : 1) {
                guard line.hasPrefix("ACCEPT "), let port = line.split(separator: ":").last else { continue }
                return UInt16(port)
            }
        }
        return nil
    }

    private static func readSome(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        return count > 0 ? Array(buffer.prefix(count)) : nil
    }
}
