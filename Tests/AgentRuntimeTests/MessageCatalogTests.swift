internal import AgentCore
internal import AgentTestKit
internal import Foundation
internal import Testing

@testable internal import AgentRuntime

@Suite struct MessageCatalogTests {
    private static let messages: [OperatorMessage] = [
        .waitingForAssignment, .assignmentAccepted(generation: 1, model: "m"), .assignmentRejected([]),
        .successorReceived(generation: 2, model: "m", current: 1),
        .successorRefused(generation: 2, current: 1, FailureReport(.modelMissing, message: "")),
        .preflightDone(PreflightReport(findings: [], seconds: 0)),
        .cachesJudged(CacheVerdict(.used, key: "")),
        .downloadBegan(ModelDownload(state: .cold, missingBytes: 1, totalBytes: 1)),
        .staleAssignment(generation: 1, current: 2),
        .controlPlaneLost(reason: ""), .controlPlaneFound, .partitioned(silence: .zero), .revoked,
        .engineStarted(pid: 1), .engineAdopted(pid: 1, generation: 1), .phase(.engineExec, afterExec: nil),
        .canaryFailed(reason: "", attempt: 1), .ready(seconds: nil), .retrying(after: .zero, with: []),
        .stopping(drainFor: nil),
        .engineKilled, .engineSilent, .engineGone, .undelivered, .unexpected(event: "", state: ""),
        .notice(notice, secondsLeft: 1), .advice(notice), .spared(notice, .withdrawn),
        .preempted(PreemptionReport(.over, notice, place: CloudPlace(.aws))),
        .noticeSource(SourceHealth(name: "aws", since: BootInstant(nanoseconds: 0))),
    ]

    private static let notice = Notice(
        id: "n1", kind: .terminate, source: "aws", firstSeenAt: BootInstant(nanoseconds: 0),
        deadline: BootInstant(nanoseconds: 1), word: "")

    private static let refusals: [StartRefusal] = [
        .badSettings([FieldFault(field: "A", problem: "is bad"), FieldFault(field: "B", problem: "is missing")]),
        .anotherAgent(pid: 7, lock: "/run/lock"),
    ]

    private static func entries() throws -> [String: String] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(
            contentsOf: root.appending(path: "systemd/crosslogic-node-agent.catalog"), encoding: .utf8)
        var entries: [String: String] = [:]
        for part in text.components(separatedBy: "\n-- ").dropFirst() {
            let id = String(part.prefix(32))
            #expect(entries[id] == nil, "two entries for \(id)")
            entries[id] = part
        }
        return entries
    }

    @Test("Each message has an id of its own, and each id one entry in the catalog")
    func everyMessage() throws {
        let failures = FailureClass.allCases.map(MessageID.of)
        let ids = Self.messages.map(MessageID.of) + failures + Self.refusals.map(MessageID.of)
        #expect(Set(ids).count == ids.count)
        let entries = try Self.entries()
        #expect(Set(entries.keys) == Set(ids))
        #expect(ids.allSatisfy { $0.count == 32 && $0.allSatisfy(\.isHexDigit) })
        #expect(entries.values.allSatisfy { $0.contains("\nSubject: ") })
    }

    @Test("The entry of each failure says what happened and what to do", arguments: FailureClass.allCases)
    func everyFailure(failure: FailureClass) throws {
        let entry = try #require(try Self.entries()[MessageID.of(failure)])
        #expect(entry.contains(failure.summary))
        #expect(entry.contains(failure.remedy))
        #expect(entry.contains(": \(failure.rawValue)\n"))
    }

    @Test("A refusal to start is told with its id, a line for each thing to do, and to systemd in one")
    func refusals() {
        #expect(Self.refusals[0].entries.map(\.text) == ["A is bad", "B is missing"])
        #expect(Self.refusals[0].notification == "STATUS=bad settings: A is bad; B is missing\nERRNO=22")
        let other = "another agent runs here (pid 7, it holds /run/lock)"
        #expect(Self.refusals[1].entries.map(\.text) == [other])
        #expect(Self.refusals[1].notification == "STATUS=\(other)\nERRNO=16")
        for refusal in Self.refusals {
            #expect(refusal.entries.allSatisfy { $0.level == .error && $0.messageID == MessageID.of(refusal) })
        }
    }

    @Test("An entry carries what a journal is searched by")
    func fields() {
        var machine = NodeMachine()
        _ = machine.handle(.assignmentReceived(.sample(generation: 3)), at: BootInstant(nanoseconds: 0))
        let node = machine.snapshot(
            nodeID: "node-1", port: 8000, versions: NodeSnapshot.Versions(agent: "test"),
            at: BootInstant(nanoseconds: 0))
        let report = FailureReport(.credentialsRejected, message: "403")
        let entry = OperatorLogEntry(.failed(report, nil), about: node, execution: "a1")
        #expect(entry.messageID == MessageID.of(.credentialsRejected))
        #expect(
            entry.fields == [
                .init("NODE_ID", "node-1"), .init("MODEL", "acme/tiny-llama"), .init("GENERATION", "3"),
                .init("PHASE", "assignment_received"), .init("FAILURE_CLASS", "credentials_rejected"),
                .init("ENGINE_INVOCATION", "a1"),
            ])
    }
}
