internal import CTLS

/// Why there is no TLS to be had with these files.
struct TLSFailure: Error, Equatable {
    /// What failed, where, and what to do.
    var message: String
}

/// A certificate with its key, loaded. Owns an `SSL_CTX`, of which each session holds a reference of its own.
final class TLSContext {
    private let pointer: OpaquePointer

    init(_ files: TLSFiles) throws(TLSFailure) {
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(TLS_server_method()) else {
            throw TLSFailure(message: "TLS cannot be set up: \(Self.reason)")
        }
        self.pointer = pointer
        Self.setPolicy(pointer)
        guard SSL_CTX_use_certificate_chain_file(pointer, files.certificate) == 1 else {
            throw Self.failure(files.certificate, "a certificate in PEM that the agent's user may read")
        }
        guard SSL_CTX_use_PrivateKey_file(pointer, files.key, X509_FILETYPE_PEM) == 1 else {
            throw Self.failure(files.key, "the certificate's key in PEM, not encrypted, that the agent's user may read")
        }
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    func makeSession() -> TLSSession? {
        SSL_new(pointer).map(TLSSession.init)
    }

    private static func setPolicy(_ pointer: OpaquePointer) {
        _ = ctls_set_minimum_version(pointer, TLS1_2_VERSION)
        // Pollers come every few seconds and keep their connection: what resuming would save is not worth keys that
        // must be rotated. A client cannot make this end do another handshake.
        ctls_set_options(pointer, ctls_no_renegotiation | ctls_no_tickets | ctls_own_preference)
        ctls_set_session_cache(pointer, Int(SSL_SESS_CACHE_OFF))
        SSL_CTX_set_num_tickets(pointer, 0)
        // Forward secrecy and authenticated encryption in TLS 1.2, as in 1.3.
        SSL_CTX_set_cipher_list(pointer, "ECDHE+AESGCM:ECDHE+CHACHA20")
        // Most connections are idle most of the time; a session's buffers are 34 kB.
        ctls_set_modes(pointer, Int(SSL_MODE_RELEASE_BUFFERS))
        ctls_ask_for_no_passphrase(pointer)
    }

    private static func failure(_ path: String, _ wanted: String) -> TLSFailure {
        TLSFailure(message: "\(path): \(reason); it must hold \(wanted)")
    }

    private static var reason: String {
        ctls_take_reason().map { String(cString: $0) } ?? "unknown reason"
    }
}

@available(*, unavailable)
extension TLSContext: Sendable {}
