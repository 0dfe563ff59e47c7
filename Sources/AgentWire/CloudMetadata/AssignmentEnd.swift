package import AgentCore

/// An end that only the control plane knows of: a capacity block that runs out, a user's stop. `end` in the assignment
/// document: `{"at": "2026-11-21T23:00:00Z", "kind": "terminate", "reason": "capacity block"}`.
package enum AssignmentEnd {
    package static let source = "control_plane"
    private static let key = "end"

    /// nil for what is no assignment document, or would be another one to another reader. The answer's own Date counts,
    /// as everywhere; for a control plane that sends none this machine's clock has to do (`wallTime`, seconds since
    /// 1970): an end in an hour, or one that never comes, must not be taken for one at once.
    package static func finding(in response: MetadataResponse, wallTime: Double) -> SourceFinding? {
        guard response.status == 200, let document = try? JSONValue.parseUnambiguous(response.body),
            document["generation"]?.integerValue ?? 0 > 0
        else { return nil }
        guard let end = document[key], end != .null else { return .over(key: key) }
        guard let at = end["at"]?.stringValue, let seconds = TimeText.parse(at) else { return nil }
        let kind = end["kind"]?.stringValue.flatMap { NoticeKind(rawValue: $0.lowercased()) } ?? .terminate
        let sighting = Sighting(
            kind, origin: key, deadline: response.instant(of: seconds, whenItIs: response.date ?? wallTime), mark: at,
            word: end["reason"]?.stringValue ?? "")
        return .noted(key: key, [sighting])
    }
}
