internal import AgentCore

/// What is told of the pushed heartbeat: that it is not taken, and that it is again, once each.
struct HeartbeatNews: Equatable, Sendable {
    private var trouble = Trouble()

    /// The line for operators where this is news.
    mutating func note(_ answer: Result<HTTPResponse, HTTPFailure>) -> (level: OperatorLogLevel, text: String)? {
        guard let problem = Self.problem(answer) else {
            return trouble.end() ? (.notice, "heartbeats are taken again") : nil
        }
        guard trouble.begin() else { return nil }
        return (.warning, "heartbeats are not taken: \(problem); trying again")
    }

    /// nil where it was taken.
    private static func problem(_ answer: Result<HTTPResponse, HTTPFailure>) -> String? {
        switch answer {
        case .success(let response): (200..<300).contains(response.status) ? nil : "answered \(response.status)"
        case .failure(let failure): "\(failure.kind.rawValue): \(failure.message)"
        }
    }
}
