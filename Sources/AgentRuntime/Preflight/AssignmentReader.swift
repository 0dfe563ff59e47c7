package import AgentCore
internal import AgentWire

/// Why a command has no assignment to work on.
package enum NoAssignment: Error, Equatable, Sendable {
    /// There is none yet, or the control plane does not answer.
    case unavailable(String)
    case bad([FieldFault])
}

/// The assignment for a command that only asks: once, from a file or from the control plane.
package struct AssignmentReader: Sendable {
    private let settings: AgentSettings
    private let ports: AgentPorts

    package init(settings: AgentSettings, ports: AgentPorts) {
        self.settings = settings
        self.ports = ports
    }

    package func read(file: String?) async throws(NoAssignment) -> Assignment {
        if let file { return try read(path: file) }
        return try await ask()
    }

    private func read(path: String) throws(NoAssignment) -> Assignment {
        let bytes: [UInt8]?
        do {
            bytes = try ports.files.read(path, limit: AssignmentCodec.maximumBytes)
        } catch {
            throw .bad([FieldFault(field: path, problem: "cannot be read: \(error.reason)")])
        }
        guard let bytes else { throw .bad([FieldFault(field: path, problem: "is not there")]) }
        do {
            return try AssignmentCodec.decode(bytes, defaults: settings.assignmentDefaults)
        } catch {
            throw .bad(error.faults)
        }
    }

    private func ask() async throws(NoAssignment) -> Assignment {
        let answer: HTTPResponse
        do {
            answer = try await ports.http.send(AssignmentPoller.request(settings, wait: 0))
        } catch {
            throw .unavailable("control plane: \(error.message)")
        }
        switch PollOutcome(answer, defaults: settings.assignmentDefaults) {
        case .answered(.assignmentReceived(let assignment)?, _): return assignment
        case .answered(.assignmentRejected(_, let faults)?, _): throw .bad(faults)
        case .failed(let reason): throw .unavailable("control plane: \(reason)")
        case .revoked: throw .unavailable("the control plane has revoked this node")
        case .answered, .unchanged: throw .unavailable("the control plane has no assignment for this node yet")
        }
    }
}
