internal import AgentCore
package import AgentWire

/// The snapshot that a node pushes: as much of it as is looked at here, and the whole as it came.
package struct NodeHeartbeat: Equatable, Sendable {
    package static let maximumBytes = 64 << 10

    package var state: String
    package var phase: String?
    /// 0…1 of what the phase has to do, where it can be counted.
    package var fraction: Double?
    /// As sent.
    package var text: [UInt8]

    package init(_ body: [UInt8], of node: String) throws(HeartbeatFault) {
        let document: JSONValue
        do {
            document = try JSONReader.parse(body)
        } catch {
            throw .syntax(error)
        }
        var reader = FieldReader(document)
        if let owner = reader.requiredString("node_id", maximumLength: 128), owner != node {
            reader.fault("node_id", "must be \(node), the node this token belongs to")
        }
        let state = reader.requiredString("state", maximumLength: 32)
        phase = reader.string("phase", maximumLength: 64)
        for (name, word) in [("state", state), ("phase", phase)] {
            guard let word, word.wholeMatch(of: /[a-z0-9_]+/) == nil else { continue }
            reader.fault(name, "must be a word of a-z, 0-9 and _")
        }
        _ = reader.integer("generation", in: 0...Int64.max)
        if let progress = reader.value("progress") {
            var fields = FieldReader(progress, path: "progress")
            fraction = fields.number("fraction").map { min(max($0, 0), 1) }
            reader.absorb(fields)
        }
        guard reader.faults.isEmpty, let state else { throw .document(InvalidDocument(faults: reader.faults)) }
        self.state = state
        text = body
    }
}

package enum HeartbeatFault: Error, Equatable, Sendable {
    case syntax(JSONSyntaxError)
    case document(InvalidDocument)
}
