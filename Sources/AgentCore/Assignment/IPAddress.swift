/// Internet addresses as literals: what can be listened on without asking a resolver.
package enum IPAddress {
    /// `192.0.2.1`, or IPv6 by RFC 4291 §2.2 without brackets and without a zone.
    package static func isLiteral(_ text: some StringProtocol) -> Bool {
        isVersion4(text) || isVersion6(text)
    }

    /// Four decimal bytes; a leading zero is refused, because some readers take it for octal.
    private static func isVersion4(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
                    && (part == "0" || !part.hasPrefix("0")) && UInt8(part) != nil
            }
    }

    private static func isVersion6(_ text: some StringProtocol) -> Bool {
        guard let gap = firstGap(in: text) else { return groups(in: text, mayEndInVersion4: true) == 8 }
        guard let before = groups(in: text[..<gap.lowerBound], mayEndInVersion4: false),
            let after = groups(in: text[gap.upperBound...], mayEndInVersion4: true)
        else { return false }
        return before + after <= 7
    }

    /// Where `::` stands. A second one is an empty group, which `groups` refuses.
    private static func firstGap(in text: some StringProtocol) -> Range<String.Index>? {
        var previous: String.Index?
        for index in text.indices {
            if text[index] == ":", let start = previous, text[start] == ":" { return start..<text.index(after: index) }
            previous = index
        }
        return nil
    }

    /// How many groups of 16 bits; nil where one is none.
    private static func groups(in text: some StringProtocol, mayEndInVersion4: Bool) -> Int? {
        guard !text.isEmpty else { return 0 }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let endsInVersion4 = mayEndInVersion4 && isVersion4(parts[parts.count - 1])
        let hexadecimal = endsInVersion4 ? parts.dropLast() : parts[...]
        let isFine = hexadecimal.allSatisfy { (1...4).contains($0.utf8.count) && $0.allSatisfy(\.isHexDigit) }
        return isFine ? hexadecimal.count + (endsInVersion4 ? 2 : 0) : nil
    }
}
