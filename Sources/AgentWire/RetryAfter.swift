package import AgentCore

/// What a server asks to be left alone for (RFC 9110 §10.2.3).
package enum RetryAfter {
    /// Longer than this nobody means, and a node that is told so would be lost.
    package static let longest = Duration.seconds(300)

    package static func of(_ response: HTTPResponse) -> Duration? { of(response.headers) }

    /// nil where it does not ask. A point in time counts by the server's own clock. Names of headers in lower case.
    package static func of(_ headers: [String: String]) -> Duration? {
        guard let text = headers["retry-after"] else { return nil }
        // Of more digits than any number has, it is for ever.
        if text.utf8.count > 9, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return longest }
        if let seconds = Int(text) { return min(max(.seconds(min(seconds, 3600)), .zero), longest) }
        guard let until = TimeText.parse(text), let now = headers["date"].flatMap({ TimeText.parse($0) })
        else {
            return nil
        }
        return min(max(.milliseconds(Int(min(max(until - now, 0), 3600) * 1000)), .zero), longest)
    }
}
