internal import AgentCore

/// What is told of the delivery of events: each trouble once, and once that it is over.
struct DeliveryNews: Equatable, Sendable {
    enum Outcome: Equatable {
        case taken
        case undelivered(String)
        /// Kept for when this node is let in again.
        case deferred(status: Int)
        /// Set aside for good.
        case parked(status: Int)
        /// The answer was longer than anybody reads it.
        case answeredAtLength(limit: Int)
    }

    private var undelivered: String?
    private var deferred: Int?
    /// Stays: what was set aside is not delivered by what is taken after it.
    private var parked: Int?
    private var hasSaidLength = false

    /// For STATUS and heartbeat; nil while there is nothing to tell.
    var problem: String? {
        undelivered.map { "not delivered: \($0)" }
            ?? deferred.map { "refused with status \($0), kept until this node is let in again" }
            ?? parked.map { "refused with status \($0), set aside" }
    }

    /// The line for operators where this is news.
    mutating func note(_ outcome: Outcome) -> (level: OperatorLogLevel, text: String)? {
        switch outcome {
        case .taken:
            guard undelivered != nil || deferred != nil else { return nil }
            (undelivered, deferred) = (nil, nil)
            return (.notice, "events are delivered again")
        case .undelivered(let reason):
            guard undelivered == nil else { return nil }
            undelivered = reason
            return (.warning, "events are not delivered: \(reason); trying again")
        case .deferred(let status):
            guard deferred == nil else { return nil }
            deferred = status
            return (.warning, "events are refused with status \(status); they are kept until this node is let in again")
        case .parked(let status):
            guard parked != status else { return nil }
            parked = status
            return (.warning, "events are refused with status \(status) and set aside")
        case .answeredAtLength(let limit):
            guard !hasSaidLength else { return nil }
            hasSaidLength = true
            return (.notice, "answers to events are longer than \(limit) bytes; only their status is read")
        }
    }
}
