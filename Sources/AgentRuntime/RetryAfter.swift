internal import AgentCore
internal import AgentWire

/// What a server asks to be left alone for (RFC 9110 §10.2.3).
enum RetryAfter {
    /// Longer than this nobody means, and a node that is told so would be lost.
    static let longest = Duration.seconds(300)

    /// nil where it does not ask. A point in time counts by the server's own clock.
    static func of(_ response: HTTPResponse) -> Duration? {
        guard let text = response.headers["retry-after"] else { return nil }
        if let seconds = Int(text) { return min(max(.seconds(min(seconds, 3600)), .zero), longest) }
        guard let until = TimeText.parse(text), let now = response.headers["date"].flatMap({ TimeText.parse($0) })
        else {
            return nil
        }
        return min(max(.milliseconds(Int(min(max(until - now, 0), 3600) * 1000)), .zero), longest)
    }
}
