package import AgentCore
internal import COpenSSL

/// SHA-256 of a bearer token: all that is ever stored of one.
///
/// A plain hash is enough because the tokens hashed here are random or the operator's own; none is a password
/// that a dictionary would find.
package struct TokenDigest: Equatable, Sendable {
    static let length = 32

    let bytes: [UInt8]

    package init(of token: Secret) {
        var digest = [UInt8](repeating: 0, count: Self.length)
        let text = Array(token.reveal().utf8)
        guard EVP_Digest(text, text.count, &digest, nil, EVP_sha256(), nil) == 1 else {
            preconditionFailure("libcrypto refuses SHA-256")
        }
        bytes = digest
    }

    /// Nil when the bytes are no SHA-256.
    init?(stored: [UInt8]) {
        guard stored.count == Self.length else { return nil }
        bytes = stored
    }

    /// In constant time, so that the answer's delay says nothing about how much of a guess was right.
    package static func == (left: TokenDigest, right: TokenDigest) -> Bool {
        CRYPTO_memcmp(left.bytes, right.bytes, length) == 0
    }
}
