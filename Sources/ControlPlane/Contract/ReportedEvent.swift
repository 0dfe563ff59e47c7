internal import AgentCore
package import AgentWire

/// One CloudEvent of a node, checked.
package struct ReportedEvent: Equatable, Sendable {
    /// Stable over retries; unique per node.
    package let id: String
    /// Rises per node from 1; says which of two events is the newer, whatever order they arrive in.
    package let sequence: Int64
    package let type: String
    /// Of the node, where the event says it.
    package let state: String?
    /// As sent.
    package let text: String
    /// What a `ready` event says about the start that it ends.
    package let start: ReportedStart?

    package static let readyType = "io.crosslogic.node.ready.v1"
    package static let agentStartedType = "io.crosslogic.node.agent_started.v1"

    /// - Parameter text: as the event was sent; rendered anew where nobody has it.
    package init(
        _ body: JSONValue, text: String? = nil, of node: String, path: String = ""
    ) throws(InvalidDocument) {
        var reader = FieldReader(body, path: path)
        if let version = reader.requiredString("specversion", maximumLength: 16), version != "1.0" {
            reader.fault("specversion", "must be \"1.0\"")
        }
        let id = reader.requiredString("id", maximumLength: 128)
        if let id, !id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            reader.fault("id", "must be of printable ASCII characters without blanks")
        }
        if let source = reader.requiredString("source", maximumLength: 256), source != "/nodes/\(node)" {
            reader.fault("source", "must be /nodes/\(node), the node this token belongs to")
        }
        let type = reader.requiredString("type", maximumLength: 128)
        if let type, type.wholeMatch(of: /io\.crosslogic\.node\.[a-z0-9_]+\.v[0-9]+/) == nil {
            reader.fault("type", "must look like io.crosslogic.node.phase.v1")
        }
        if let content = reader.string("datacontenttype"), content != "application/json" {
            reader.fault("datacontenttype", "must be application/json")
        }
        if let time = reader.requiredString("time", maximumLength: 64), WallClock.seconds(rfc3339: time) == nil {
            reader.fault("time", "must be a time such as 2026-01-02T03:04:05.678Z (RFC 3339)")
        }
        let sequence = Self.readSequence(&reader)
        Self.readData(&reader, node: node)
        guard reader.faults.isEmpty, let id, let type, let sequence else {
            throw InvalidDocument(faults: reader.faults)
        }
        self.id = id
        self.sequence = sequence
        self.type = type
        state = body["data"]?["state"]?.stringValue
        self.text = text ?? String(decoding: body.rendered(), as: UTF8.self)
        start = type == Self.readyType ? ReportedStart(body["data"]) : nil
    }

    /// Sixteen decimal digits, so that texts sort like numbers.
    private static func readSequence(_ reader: inout FieldReader) -> Int64? {
        guard let text = reader.requiredString("sequence", maximumLength: 20) else { return nil }
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard text.utf8.count == 16, text.utf8.allSatisfy(digits.contains), let number = Int64(text), number > 0 else {
            reader.fault("sequence", "must be a positive number as sixteen decimal digits, such as 0000000000000012")
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
