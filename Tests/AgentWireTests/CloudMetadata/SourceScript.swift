internal import AgentCore
internal import AgentWire

/// Drives a source through its questions, on a clock of the test's own.
struct SourceScript<Source: MetadataSource> {
    private(set) var source: Source
    private(set) var now: BootInstant
    /// What has been asked, as `GET path`, in order.
    private(set) var asked: [String] = []
    private(set) var lastQuery: MetadataQuery?

    init(_ source: Source, at seconds: Double = 1000) {
        self.source = source
        now = BootInstant(nanoseconds: Int64(seconds * 1e9))
    }

    /// The next question, however long it has to be waited for.
    mutating func question() -> MetadataQuery {
        while true {
            switch source.next(at: now) {
            case .wait(let until): now = max(until, now + .milliseconds(1))
            case .ask(let query):
                let path = query.url.split(separator: "/", maxSplits: 2).last ?? ""
                asked.append("\(query.method.rawValue) /\(path)")
                lastQuery = query
                return query
            }
        }
    }

    /// Answers the next question whose URL contains the text; others get 404 (and the token, where one is asked for).
    mutating func answer(
        _ fragment: String, _ status: Int, _ body: String = "", headers: [String: String] = [:],
        after delay: Duration = .milliseconds(1)
    ) -> [SourceFinding] {
        for _ in 0..<20 {
            let query = question()
            if query.url.contains(fragment) { return give(status, body, headers, after: delay) }
            if query.url.hasSuffix("/token") {
                _ = give(200, "token-\(asked.count)", [:])
            } else {
                _ = give(404, "", [:])
            }
        }
        return []
    }

    mutating func give(
        _ status: Int, _ body: String, _ headers: [String: String], after delay: Duration = .milliseconds(1)
    ) -> [SourceFinding] {
        now = now + delay
        return source.take(
            .response(MetadataResponse(status: status, headers: headers, body: [UInt8](body.utf8), at: now)))
    }

    mutating func fail(_ reason: String = "timeout", after delay: Duration = .seconds(1)) -> [SourceFinding] {
        now = now + delay
        return source.take(.failed(reason: reason, at: now))
    }

    mutating func approve(_ noticeID: String) { source.approve(noticeID: noticeID) }
}

extension SourceFinding {
    var sightings: [Sighting]? {
        switch self {
        case .listed(_, let sightings), .noted(_, let sightings): sightings
        case .begun, .ended, .over, .failed, .place: nil
        }
    }

}

extension [SourceFinding] {
    var isOneFailure: Bool {
        if count == 1, case .failed? = first { true } else { false }
    }

    var sighting: Sighting? { compactMap(\.sightings).first?.first }
}
