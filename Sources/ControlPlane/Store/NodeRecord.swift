package import AgentCore
package import AgentWire

/// What is known of a node, its secrets apart.
package struct NodeRecord: Equatable, Sendable {
    package var id: String
    package var generation: Int64
    package var createdAt: String
    package var revokedAt: String?
    package var request: JSONValue
    package var end: JSONValue?
    /// The event with the highest sequence of the newest incarnation.
    package var newestEvent: JSONValue?
    /// The `ready` event with the highest sequence of the newest incarnation that had one.
    package var readyEvent: JSONValue?
    package var lastEventAt: String?
    /// Events kept.
    package var eventCount: Int
    /// From 1; rises when the node begins to count its events anew.
    package var incarnation: Int64
    /// Below the highest sequence of this incarnation; at most `SequenceGap.maximumShown`.
    package var sequenceGaps: [SequenceGap]
}

/// Sequences that never arrived, or not yet.
package struct SequenceGap: Equatable, Sendable {
    package static let maximumShown = 32

    package var first: Int64
    package var last: Int64
}

/// One generation of what a node is to serve.
package struct StoredAssignment: Equatable, Sendable {
    package var generation: Int64
    package var document: JSONValue
    package var callbackSecret: Secret?
    package var isRevoked: Bool
    /// The end of the machine, where only the control plane knows of it.
    package var end: JSONValue?
    /// How often something was said about it.
    package var endRevision: Int64
}
