internal import AgentCore

extension OperatorLogEntry {
    /// With the fields of this node by which a journal of many is searched.
    init(_ message: OperatorMessage, about node: NodeSnapshot, execution: String?) {
        let (level, text) = OperatorPhrases.line(message)
        var fields = [Field("NODE_ID", node.nodeID)]
        if let model = node.model { fields.append(Field("MODEL", model)) }
        if let generation = node.generation { fields.append(Field("GENERATION", String(generation))) }
        if let phase = Self.phase(message) ?? node.phase { fields.append(Field("PHASE", phase.rawValue)) }
        if let failure = Self.failure(message) { fields.append(Field("FAILURE_CLASS", failure.rawValue)) }
        if let execution { fields.append(Field("ENGINE_INVOCATION", execution)) }
        self.init(level, text, messageID: MessageID.of(message), fields: fields)
    }

    private static func failure(_ message: OperatorMessage) -> FailureClass? {
        switch message {
        case .failed(let report, _), .successorRefused(_, _, let report): report.failure
        default: nil
        }
    }

    /// Several phases can begin with one event.
    private static func phase(_ message: OperatorMessage) -> Phase? {
        if case .phase(let phase, _) = message { phase } else { nil }
    }
}
