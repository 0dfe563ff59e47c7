package import AgentCore
internal import FoundationEssentials

/// Signature headers of the Standard Webhooks specification 1.0.0 (symmetric, `v1`).
package enum StandardWebhooks {
    /// `secret` is raw text, or `whsec_` followed by base64; `timestamp` is seconds since 1970 of this try.
    package static func headers(
        id: String, timestamp: Int64, body: [UInt8], secret: Secret, signer: any MessageSigner
    ) -> [(name: String, value: Secret)] {
        let message = [UInt8]("\(id).\(timestamp).".utf8) + body
        let signature = signer.hmacSHA256(message, key: key(secret))
        return [
            ("webhook-id", Secret(id)), ("webhook-timestamp", Secret(String(timestamp))),
            ("webhook-signature", Secret("v1," + Data(signature).base64EncodedString())),
        ]
    }

    private static func key(_ secret: Secret) -> [UInt8] {
        let text = secret.reveal()
        if text.hasPrefix("whsec_"), let decoded = Data(base64Encoded: String(text.dropFirst(6))) {
            return [UInt8](decoded)
        }
        return [UInt8](text.utf8)
    }
}
