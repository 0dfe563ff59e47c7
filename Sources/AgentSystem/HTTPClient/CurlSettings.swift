package struct CurlSettings: Sendable {
    /// Sent with every request, such as `crosslogic-node-agent/1.2.3`.
    package var userAgent: String
    /// PEM file whose certificate authorities replace the system's.
    package var certificateAuthorityFile: String?
    /// Status line and headers of one answer, in bytes; more is `HTTPFailure.Kind.tooLarge`.
    package var maximumHeaderBytes = 64 << 10
    /// Connections at one time; further requests wait their turn, their timeouts running.
    package var maximumConnections = 64
    /// Connections kept for the next request to the same server.
    package var maximumIdleConnections = 8

    package init(userAgent: String, certificateAuthorityFile: String? = nil) {
        self.userAgent = userAgent
        self.certificateAuthorityFile = certificateAuthorityFile
    }
}
