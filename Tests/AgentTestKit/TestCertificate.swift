internal import Glibc

/// A certificate that is its own authority, with its key, in files of its own.
package struct TestCertificate: Sendable {
    package let certificateFile: String
    package let keyFile: String

    /// In a folder that is there. Blocks for the few milliseconds that `openssl` takes.
    package static func make(
        in folder: String, name: String = "certificate", subjectAltName: String = "IP:127.0.0.1"
    ) throws -> TestCertificate {
        let made = TestCertificate(certificateFile: "\(folder)/\(name).pem", keyFile: "\(folder)/\(name).key")
        let program = try OpenSSLProgram.start([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=\(name)", "-addext", "subjectAltName=\(subjectAltName)", "-keyout", made.keyFile, "-out",
            made.certificateFile,
        ])
        while program.readSome() != nil {}
        close(program.output)
        var status: Int32 = 0
        waitpid(program.pid, &status, 0)
        guard status == 0 else { throw OpenSSLProgram.Failure(message: "openssl req failed: status \(status)") }
        return made
    }
}
