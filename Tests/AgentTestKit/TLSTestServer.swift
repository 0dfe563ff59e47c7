internal import Glibc

/// `openssl s_server` on a free loopback port, with a certificate of its own for 127.0.0.1.
package final class TLSTestServer: Sendable {
    package let port: UInt16
    /// PEM; also the authority that signed it.
    package let certificateFile: String

    private let folder = TemporaryFolder()
    /// Its output is kept open: writing without a reader would end the program.
    private let program: OpenSSLProgram

    /// Blocks until the server listens. Needs the `openssl` program.
    package static func start(subjectAltName: String = "IP:127.0.0.1") async throws -> TLSTestServer {
        try await withCheckedThrowingContinuation { continuation in
            KitThread.start {
                continuation.resume(with: Result { try TLSTestServer(subjectAltName) })
            }
        }
    }

    private init(_ subjectAltName: String) throws {
        let certificate = try TestCertificate.make(in: folder.path, subjectAltName: subjectAltName)
        certificateFile = certificate.certificateFile
        program = try OpenSSLProgram.start([
            "s_server", "-accept", "127.0.0.1:0", "-cert", certificateFile, "-key", certificate.keyFile, "-www",
        ])
        guard let port = Self.port(announcedBy: program) else {
            kill(program.pid, SIGKILL)
            close(program.output)
            throw OpenSSLProgram.Failure(message: "openssl s_server does not listen")
        }
        self.port = port
    }

    /// Ends the program.
    package func stop() {
        kill(program.pid, SIGKILL)
        var status: Int32 = 0
        waitpid(program.pid, &status, 0)
        close(program.output)
    }

    /// From the line `ACCEPT 127.0.0.1:40000`.
    private static func port(announcedBy program: OpenSSLProgram) -> UInt16? {
        var text = ""
        while let more = program.readSome() {
            text += String(decoding: more, as: UTF8.self)
            for line in text.split(separator: "\n").dropLast(text.hasSuffix("\n") ? 0 : 1) {
                guard line.hasPrefix("ACCEPT "), let port = line.split(separator: ":").last else { continue }
                return UInt16(port)
            }
        }
        return nil
    }
}
