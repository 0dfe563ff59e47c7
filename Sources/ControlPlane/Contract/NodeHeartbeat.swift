internal import AgentCore
package import AgentWire

/// The snapshot that a node pushes: as much of it as is looked at here, and the whole as it came.
package struct NodeHeartbeat: Equatable, Sendable {
    package static let maximumBytes = 64 << 10

    package var state: String
    package var phase: String?
    /// 0…1 of what the phase has to do, where it can be counted.
    package var fraction: Double?
    /// When the node was so, in seconds since 1970 by its clock; nil where it does not say.
    package var time: Double?
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
            guard let word, !Word.isWord(word.utf8) else { continue }
            reader.fault(name, "must be a word of a-z, 0-9 and _")
        }
        _ = reader.integer("generation", in: 0...Int64.max)
        time = document["time"]?.stringValue.flatMap(WallClock.seconds(rfc3339:))
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

/// Names of states, phases and events.
enum Word {
    static func isWord(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}

package enum HeartbeatFault: Error, Equatable, Sendable {
    case syntax(JSONSyntaxError)
    case document(InvalidDocument)
}
