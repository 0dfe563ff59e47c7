/// What a server shows to its clients, as PEM files.
package struct TLSFiles: Equatable, Sendable {
    /// The server's certificate, and behind it those between it and the authority.
    package var certificate: String
    /// Not encrypted.
    package var key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}
