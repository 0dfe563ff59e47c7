/// What is in the store under a key: the files, the parts that hold their contents, and a signature over all of it.
///
/// The caches hold code that the engine will execute, so nothing of them is used before the signature is checked; each
/// part is then held against its hash. Text:
///
///     crosslogic-caches 1
///     key 64 hexadecimal digits
///     factor NAME VALUE            (%XX for control characters, % and blanks of the name)
///     part SHA-256                 (in their order)
///     x 1234 torch_compile_cache/… (see CacheBundle)
///     signature HMAC-SHA-256 of everything before this line
package struct CacheManifest: Equatable, Sendable {
    package static let maximumBytes = CacheBundle.maximumTextBytes
    private static let head = "crosslogic-caches 1"

    package var key: String
    package var factors: [CacheFactor]
    /// SHA-256 of each part, in hexadecimal digits.
    package var parts: [String]
    package var bundle: CacheBundle

    package init(key: CacheKey, parts: [String], bundle: CacheBundle) {
        self.key = key.digest
        factors = key.factors
        self.parts = parts
        self.bundle = bundle
    }

    package func signed(with secret: Secret, _ signer: any MessageSigner) -> [UInt8] {
        var lines = [Self.head, "key \(key)"]
        lines += factors.map { "factor \(Self.escaped($0.name, blanks: true)) \(Self.escaped($0.value))" }
        lines += parts.map { "part \($0)" }
        lines += bundle.lines
        let body = [UInt8]((lines.joined(separator: "\n") + "\n").utf8)
        let signature = Hexadecimal.text(signer.hmacSHA256(body, key: Self.signingKey(secret, key, signer)))
        return body + [UInt8]("signature \(signature)\n".utf8)
    }

    /// Of this very key, whole and signed by a holder of the secret; the caller has bounded the bytes.
    package init(
        _ bytes: [UInt8], for key: String, secret: Secret, _ signer: any MessageSigner
    ) throws(CacheFault) {
        let tail = "signature ".utf8.count + 64 + 1
        guard bytes.count > tail, bytes.last == 0x0A else { throw CacheFault("no signature") }
        let body = Array(bytes.dropLast(tail))
        let expected = signer.hmacSHA256(body, key: Self.signingKey(secret, key, signer))
        guard Self.equal(Array(bytes.suffix(tail)), [UInt8]("signature \(Hexadecimal.text(expected))\n".utf8)) else {
            throw CacheFault("a signature that is not of this fleet and key")
        }
        try self.init(body: body, key: key)
    }

    private init(body: [UInt8], key: String) throws(CacheFault) {
        var lines = String(decoding: body, as: UTF8.self).split(separator: "\n")[...]
        guard lines.popFirst() == Self.head[...] else { throw CacheFault("a format of another version") }
        guard lines.popFirst() == "key \(key)"[...] else { throw CacheFault("another key") }
        self.key = key
        factors = []
        while let line = lines.first, line.hasPrefix("factor ") {
            let fields = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { throw CacheFault("a factor without a value") }
            factors.append(CacheFactor(Self.plain(fields[1]), Self.plain(fields[2])))
            lines = lines.dropFirst()
        }
        parts = []
        while let line = lines.first, line.hasPrefix("part ") {
            guard Hexadecimal.isDigest(line.dropFirst(5)) else { throw CacheFault("a part without a hash") }
            parts.append(String(line.dropFirst(5)))
            lines = lines.dropFirst()
        }
        bundle = try CacheBundle(lines: lines)
        guard parts.count == bundle.partCount else { throw CacheFault("\(parts.count) parts, not \(bundle.partCount)") }
    }

    /// A key of its own for each use of the secret, so that a manifest signed under one key is worth nothing elsewhere.
    private static func signingKey(_ secret: Secret, _ key: String, _ signer: any MessageSigner) -> [UInt8] {
        signer.hmacSHA256([UInt8]("crosslogic-caches 1 \(key)".utf8), key: [UInt8](secret.reveal().utf8))
    }

    /// In the time of the length, so that no answer tells how much was right.
    private static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func escaped(_ text: String, blanks: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var escaped: [UInt8] = []
        for byte in text.utf8 {
            if byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "%") || (blanks && byte == 0x20) {
                escaped += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            } else {
                escaped.append(byte)
            }
        }
        return String(decoding: escaped, as: UTF8.self)
    }

    private static func plain(_ text: some StringProtocol) -> String {
        var plain: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                plain.append(code)
                rest = rest.dropFirst(2)
            } else {
                plain.append(byte)
            }
        }
        return String(decoding: plain, as: UTF8.self)
    }
}
