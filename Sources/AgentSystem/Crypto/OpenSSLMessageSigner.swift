internal import AgentCore
internal import COpenSSL

package struct OpenSSLMessageSigner: MessageSigner {
    package init() {}

    package func hmacSHA256(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        // HMAC pads keys with zeros, so this is the same key; an empty array may have no address to give.
        let key = key.isEmpty ? [0] : key
        return [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
            var length: UInt32 = 0
            HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, digest.baseAddress, &length)
            count = Int(length)
        }
    }

    package func sha256(_ message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
            var length: UInt32 = 0
            EVP_Digest(message, message.count, digest.baseAddress, &length, EVP_sha256(), nil)
            count = Int(length)
        }
    }
}
