/// Makes libcurl's words fit to be logged: they can quote the URL and bytes of the server's.
enum CurlMessage {
    private static let limit = 256

    /// One line of at most 256 bytes; URLs in it lose user information, query and fragment.
    static func cleaned(_ text: String) -> String {
        let words = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        let bytes = words.map { cleaned(word: Array($0)) }.joined(separator: [UInt8(ascii: " ")])
        let printable = bytes.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: " ") : $0 }
        return truncated(String(decoding: printable, as: UTF8.self))
    }

    private static func cleaned(word: [UInt8]) -> [UInt8] {
        guard let scheme = endOfScheme(in: word) else { return word }
        let kept = word[scheme...].prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        let authority = kept.prefix { $0 != UInt8(ascii: "/") }
        guard let at = authority.lastIndex(of: UInt8(ascii: "@")) else { return Array(word[..<scheme] + kept) }
        return Array(word[..<scheme] + kept[(at + 1)...])
    }

    /// The index after `://`.
    private static func endOfScheme(in word: [UInt8]) -> Int? {
        let mark = Array("://".utf8)
        return word.indices.dropLast(mark.count - 1).first { word[$0...].starts(with: mark) }.map { $0 + mark.count }
    }

    private static func truncated(_ text: String) -> String {
        var end = text.startIndex
        while end < text.endIndex {
            let next = text.unicodeScalars.index(after: end)
            guard text.utf8.distance(from: text.startIndex, to: next) <= limit else { break }
            end = next
        }
        return String(text[..<end])
    }
}
