package import AgentCore

/// AWS Signature Version 4 in the Authorization header, for requests without a body. Header names are sorted here and
/// the path is taken as it is: S3 encodes once, other services twice.
package struct SigV4: Sendable {
    /// Lower-case hexadecimal SHA-256 of no bytes at all.
    package static let emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private let accessKeyID: Secret
    private let secretAccessKey: Secret
    private let region: String
    private let service: String
    private let signer: any MessageSigner

    package init(
        accessKeyID: Secret, secretAccessKey: Secret, region: String, service: String, signer: any MessageSigner
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.region = region
        self.service = service
        self.signer = signer
    }

    /// The value of the Authorization header. `query` is percent-encoded already, in any order; `headers` are those to
    /// be signed, `host` and `x-amz-date` among them, with names in lower case; `timestamp` is that of `x-amz-date`.
    package func authorization(
        method: String, path: String, query: [(name: String, value: String)] = [],
        headers: [(name: String, value: Secret)], timestamp: String, payloadHash: String = Self.emptyPayload
    ) -> Secret {
        let names = headers.map(\.name).sorted().joined(separator: ";")
        let canonical = [
            method, path, Self.canonical(query), Self.canonical(headers), names, payloadHash,
        ].joined(separator: "\n")
        let day = String(timestamp.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let toSign = ["AWS4-HMAC-SHA256", timestamp, scope, Hexadecimal.text(signer.sha256([UInt8](canonical.utf8)))]
            .joined(separator: "\n")
        let signature = Hexadecimal.text(hmac(toSign, key: key(day: day)))
        let credential = "\(accessKeyID.reveal())/\(scope)"
        return Secret("AWS4-HMAC-SHA256 Credential=\(credential),SignedHeaders=\(names),Signature=\(signature)")
    }

    private func key(day: String) -> [UInt8] {
        var key = [UInt8]("AWS4\(secretAccessKey.reveal())".utf8)
        for part in [day, region, service, "aws4_request"] { key = hmac(part, key: key) }
        return key
    }

    private func hmac(_ text: String, key: [UInt8]) -> [UInt8] {
        signer.hmacSHA256([UInt8](text.utf8), key: key)
    }

    private static func canonical(_ query: [(name: String, value: String)]) -> String {
        query.map { "\($0.name)=\($0.value)" }.sorted().joined(separator: "&")
    }

    /// Each line ends in a line break of its own, the last one too.
    private static func canonical(_ headers: [(name: String, value: Secret)]) -> String {
        headers.sorted { $0.name < $1.name }.map { "\($0.name):\($0.value.reveal())\n" }.joined()
    }

    /// RFC 3986 with upper-case digits, as the signature wants it; `keepingSlashes` for object keys.
    package static func percentEncoded(_ text: String, keepingSlashes: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) || (keepingSlashes && byte == UInt8(ascii: "/")) {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
