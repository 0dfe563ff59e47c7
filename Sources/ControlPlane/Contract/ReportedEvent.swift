internal import AgentCore
package import AgentWire

/// One CloudEvent of a node, checked.
package struct ReportedEvent: Equatable, Sendable {
    /// Stable over retries; unique per node.
    package let id: String
    /// Rises per node from 1; says which of two events is the newer, whatever order they arrive in.
    package let sequence: Int64
    package let type: String
    /// As sent.
    package let document: JSONValue

    package static let readyType = "io.crosslogic.node.ready.v1"
    package static let agentStartedType = "io.crosslogic.node.agent_started.v1"
    package static let maximumBatch = 100

    /// One event.
    package static func one(_ body: JSONValue, of node: String) throws(InvalidDocument) -> ReportedEvent {
        var reader = FieldReader(body)
        guard let event = read(&reader, body, node: node) else { throw InvalidDocument(faults: reader.faults) }
        return event
    }

    /// A batch, all or nothing (CloudEvents JSON batch format: an array).
    package static func batch(_ body: JSONValue, of node: String) throws(InvalidDocument) -> [ReportedEvent] {
        guard let items = body.arrayValue else {
            throw InvalidDocument(faults: [FieldFault(field: "body", problem: "must be an array, not \(body.kind)")])
        }
        guard items.count <= maximumBatch else {
            let problem = "has \(items.count) events, at most \(maximumBatch) are allowed"
            throw InvalidDocument(faults: [FieldFault(field: "body", problem: problem)])
        }
        var events: [ReportedEvent] = []
        var faults: [FieldFault] = []
        for (index, item) in items.enumerated() {
            var reader = FieldReader(item, path: "[\(index)]")
            if let event = read(&reader, item, node: node) { events.append(event) }
            faults += reader.faults
        }
        guard faults.isEmpty else { throw InvalidDocument(faults: faults) }
        return events
    }

    /// Nil exactly when the reader has faults.
    private static func read(_ reader: inout FieldReader, _ body: JSONValue, node: String) -> ReportedEvent? {
        if let version = reader.requiredString("specversion", maximumLength: 16), version != "1.0" {
            reader.fault("specversion", "must be \"1.0\"")
        }
        let id = reader.requiredString("id", maximumLength: 128)
        if let source = reader.requiredString("source", maximumLength: 256), source != "/nodes/\(node)" {
            reader.fault("source", "must be /nodes/\(node), the node this token belongs to")
        }
        let type = reader.requiredString("type", maximumLength: 128)
        if let type, !type.hasPrefix("io.crosslogic.node.") {
            reader.fault("type", "must begin with io.crosslogic.node.")
        }
        _ = reader.requiredString("time", maximumLength: 64)
        let sequence = readSequence(&reader)
        readData(&reader, node: node)
        guard reader.faults.isEmpty, let id, let type, let sequence else { return nil }
        return ReportedEvent(id: id, sequence: sequence, type: type, document: body)
    }

    /// Decimal digits, padded with zeros so that texts sort like numbers.
    private static func readSequence(_ reader: inout FieldReader) -> Int64? {
        guard let text = reader.requiredString("sequence", maximumLength: 20) else { return nil }
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard text.utf8.allSatisfy(digits.contains), let number = Int64(text), number > 0 else {
            reader.fault("sequence", "must be a positive number as decimal digits, such as 0000000000000012")
            return nil
        }
        return number
    }

    private static func readData(_ reader: inout FieldReader, node: String) {
        guard let value = reader.value("data") else {
            reader.fault("data", "is missing")
            return
        }
        guard case .object = value else {
            reader.fault("data", "must be an object, not \(value.kind)")
            return
        }
        if let owner = value["node_id"], owner != .string(node) {
            reader.fault("data.node_id", "must be \(node), the node this token belongs to")
        }
        for name in ["state", "phase"] {
            guard let field = value[name], field != .null, field.stringValue == nil else { continue }
            reader.fault("data.\(name)", "must be a string, not \(field.kind)")
        }
    }
}
