package import AgentCore

/// One source of notices as a pure machine: it says what to ask and when, and what an answer means. A poller does the
/// rest.
package protocol MetadataSource: Sendable {
    /// As in the heartbeat: `aws`, `gcp-preempted`.
    var name: String { get }
    mutating func next(at now: BootInstant) -> MetadataStep
    mutating func take(_ answer: MetadataAnswer) -> [SourceFinding]
    /// A cloud that waits for a word about this notice may go ahead.
    mutating func approve(noticeID: String)
}

extension MetadataSource {
    package mutating func approve(noticeID: String) {}
}

package enum MetadataStep: Equatable, Sendable {
    case ask(MetadataQuery)
    case wait(until: BootInstant)
}

package struct MetadataQuery: Equatable, Sendable {
    package var method = HTTPRequest.Method.get
    package var url: String
    package var headers: [String: String] = [:]
    package var body: [UInt8]?
    /// From the first byte of the question to the last of the answer.
    package var timeout = Duration.seconds(1)

    package init(_ url: String) {
        self.url = url
    }
}

package enum MetadataAnswer: Equatable, Sendable {
    case response(MetadataResponse)
    /// No answer, none in time, or one that is too large to be one.
    case failed(reason: String, at: BootInstant)

    package var at: BootInstant {
        switch self {
        case .response(let response): response.at
        case .failed(_, let at): at
        }
    }
}

package struct MetadataResponse: Equatable, Sendable {
    package var status: Int
    /// Names in lower case.
    package var headers: [String: String]
    package var body: [UInt8]
    /// When its first byte came.
    package var at: BootInstant

    package init(status: Int, headers: [String: String] = [:], body: [UInt8], at: BootInstant) {
        self.status = status
        self.headers = headers
        self.body = body
        self.at = at
    }

    /// Bytes of a body worth reading; longer ones are no metadata.
    package static let maximumBytes = 64 << 10

    /// The body as one trimmed line; nil where it is none.
    var line: String? {
        let text = String(decoding: body.prefix(256), as: UTF8.self)
        var line = text[...]
        while line.last?.isWhitespace == true { line.removeLast() }
        while line.first?.isWhitespace == true { line.removeFirst() }
        return line.contains { $0.isNewline } ? nil : String(line)
    }

    /// A point in time of the server's, on the boot clock. The server's own Date tells how far away it is, so that
    /// neither the skew nor a step of this machine's wall clock matters; nil without one.
    ///
    /// Date counts whole seconds: the result is up to a second late and never early, and the earliest of several
    /// looks comes ever nearer to the truth.
    func instant(of seconds: Double) -> BootInstant? {
        guard let date, (seconds - date).magnitude < Self.farthest else { return nil }
        return instant(of: seconds, whenItIs: date)
    }

    /// The same where the server's time, in seconds since 1970, is known otherwise; no farther away than ten years.
    func instant(of seconds: Double, whenItIs date: Double) -> BootInstant {
        at + .nanoseconds(Int64(min(max(seconds - date, -Self.farthest), Self.farthest) * 1e9))
    }

    /// Seconds; ten years. Beyond it the sum could overflow, and no cloud announces that.
    private static let farthest = 315_576_000.0

    /// The server's own Date, in seconds since 1970.
    var date: Double? { headers["date"].flatMap { TimeText.parse($0) } }

    /// In words for operators, without the body: it is whatever somebody else wrote.
    var problem: String { "answered \(status) with a body that is no metadata (\(body.count) bytes)" }
}

extension JSONValue {
    /// A field of an object whatever its capitals: clouds and their mocks are not of one mind about them.
    func field(_ name: String) -> JSONValue? {
        if let value = self[name] { return value }
        guard case .object(let fields) = self else { return nil }
        return fields.first { $0.key.lowercased() == name.lowercased() }?.value
    }
}
