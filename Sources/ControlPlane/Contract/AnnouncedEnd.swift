internal import AgentCore
package import AgentWire

/// The end of a machine that only its operator knows of: a capacity block that runs out, a user's stop. The body of
/// `PUT /api/v1/nodes/{id}/end`.
package struct AnnouncedEnd: Equatable, Sendable {
    /// As the node is told.
    package let document: JSONValue

    /// - Throws: every fault of the body.
    package init(_ body: JSONValue) throws(InvalidDocument) {
        var reader = FieldReader(body)
        let at = reader.requiredString("at", maximumLength: 64)
        if let at, TimeText.parse(at) == nil {
            reader.fault("at", "is no time; write it as 2026-11-22T03:00:00Z")
        }
        let kind = reader.string("kind", maximumLength: 32)
        if let kind, NoticeKind(rawValue: kind)?.endsTheNode != true {
            let kinds = NoticeKind.allCases.filter(\.endsTheNode).map(\.rawValue)
            reader.fault("kind", "must be one of \(kinds.joined(separator: ", "))")
        }
        let reason = reader.string("reason", maximumLength: 256)
        guard reader.faults.isEmpty, let at else { throw InvalidDocument(faults: reader.faults) }
        var fields = ["at": JSONValue.string(at), "kind": .string(kind ?? NoticeKind.terminate.rawValue)]
        fields["reason"] = reason.map(JSONValue.string)
        document = .object(fields)
    }
}
