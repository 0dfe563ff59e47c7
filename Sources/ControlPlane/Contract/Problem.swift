internal import AgentCore
internal import AgentWire

/// RFC 9457 problem details: what every error of this server looks like.
struct Problem: Error, Equatable, Sendable {
    var status: Int
    var title: String
    /// What happened this time and what to do about it, for a person.
    var detail: String
    var faults: [FieldFault] = []
    var headers: [Header] = []

    struct Header: Equatable, Sendable {
        var name: String
        var value: String
    }

    var document: JSONValue {
        var document: [String: JSONValue] = [
            "type": .string("about:blank"),
            "title": .string(title),
            "status": .integer(Int64(status)),
            "detail": .string(detail),
        ]
        if !faults.isEmpty { document["errors"] = Self.errors(faults) }
        return .object(document)
    }

    static func errors(_ faults: [FieldFault]) -> JSONValue {
        .array(faults.map { .object(["field": .string($0.field), "problem": .string($0.problem)]) })
    }
}

extension Problem {
    static func badRequest(_ detail: String, faults: [FieldFault] = []) -> Problem {
        Problem(status: 400, title: "Bad request", detail: detail, faults: faults)
    }

    static func unauthorized(_ detail: String) -> Problem {
        Problem(
            status: 401, title: "Unauthorized", detail: detail,
            headers: [Header(name: "WWW-Authenticate", value: "Bearer realm=\"crosslogic\"")])
    }

    static func forbidden(_ detail: String) -> Problem {
        Problem(status: 403, title: "Forbidden", detail: detail)
    }

    static func notFound(_ detail: String) -> Problem {
        Problem(status: 404, title: "Not found", detail: detail)
    }

    static func conflict(_ detail: String) -> Problem {
        Problem(status: 409, title: "Conflict", detail: detail)
    }

    static func gone(_ detail: String) -> Problem {
        Problem(status: 410, title: "Gone", detail: detail)
    }

    static func contentTooLarge(limit: Int) -> Problem {
        contentTooLarge("the body may have at most \(limit) bytes")
    }

    static func contentTooLarge(_ detail: String) -> Problem {
        Problem(status: 413, title: "Content too large", detail: detail)
    }

    static func unsupportedMediaType(_ detail: String) -> Problem {
        Problem(status: 415, title: "Unsupported media type", detail: detail)
    }

    static func invalid(_ document: InvalidDocument) -> Problem {
        Problem(
            status: 422, title: "Invalid document", detail: "\(document.faults.count) field(s) must be corrected",
            faults: document.faults)
    }

    /// - Parameter seconds: when to come back.
    static func unavailable(_ detail: String, retryAfter seconds: Int = 5) -> Problem {
        Problem(
            status: 503, title: "Service unavailable", detail: detail,
            headers: [Header(name: "Retry-After", value: "\(seconds)")])
    }

    static let internalError = Problem(
        status: 500, title: "Internal error", detail: "the control plane's log says what happened")
}
