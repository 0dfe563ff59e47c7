/// One thing that decides whether code compiled on another node fits this one.
package struct CacheFactor: Equatable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What carried caches are found by. Equal factors give equal keys, whatever order they come in.
package struct CacheKey: Equatable, Sendable {
    /// Sorted by name.
    package let factors: [CacheFactor]
    /// 64 lower-case hexadecimal digits.
    package let digest: String

    package init(_ factors: [CacheFactor], signer: any MessageSigner) {
        let sorted = factors.sorted { ($0.name, $0.value) < ($1.name, $1.value) }
        self.factors = sorted
        // Lengths first: no value can pretend to be the beginning of the next factor.
        let text = sorted.flatMap { [$0.name, $0.value] }.map { "\($0.utf8.count):\($0)" }.joined()
        digest = Hexadecimal.text(signer.sha256([UInt8](text.utf8)))
    }

    /// Names of the factors that are not the same in both, sorted.
    package static func differences(_ ours: [CacheFactor], _ theirs: [CacheFactor]) -> [String] {
        let ours = Dictionary(ours.map { ($0.name, $0.value) }) { $1 }
        let theirs = Dictionary(theirs.map { ($0.name, $0.value) }) { $1 }
        return Set(ours.keys).union(theirs.keys).filter { ours[$0] != theirs[$0] }.sorted()
    }
}

package enum Hexadecimal {
    package static func text(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Whether it is what `text` makes of a SHA-256.
    package static func isDigest(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
