internal import AgentCore
internal import AgentRuntime
internal import AgentSystem
internal import ArgumentParser

/// What `preflight` and `plan` are asked about, and how they answer.
struct AssignmentQuestion: ParsableArguments {
    @OptionGroup var source: SettingsSource

    @Option(help: "File with the assignment as the control plane would send it; without, the control plane is asked.")
    var assignment: String?

    @Flag(help: "Print JSON.")
    var json = false

    /// Calls `body` with the assignment and what was found out about it. Says itself why there is none.
    func answer(_ body: (Assignment, PreflightOutcome, AgentSettings) throws -> Void) async throws {
        let settings: AgentSettings
        do {
            settings = try source.load(withoutControlPlane: assignment != nil)
        } catch {
            for fault in error.faults { Complaint.say(fault.description) }
            throw AgentExit.badSettings
        }
        let log = StderrLog()
        let parts = RealParts(settings: settings, log: log)
        let answer = await ask(settings, parts.ports)
        await parts.close()
        log.drain()
        switch answer {
        case .success(let (assignment, outcome)): try body(assignment, outcome, settings)
        case .failure(.unavailable(let reason)):
            Complaint.say(reason)
            throw AgentExit.unavailable
        case .failure(.bad(let faults)):
            for fault in faults { Complaint.say("assignment: \(fault.description)") }
            throw AgentExit.badAssignment
        }
    }

    private func ask(
        _ settings: AgentSettings, _ ports: AgentPorts
    ) async -> Result<(Assignment, PreflightOutcome), NoAssignment> {
        do {
            let assignment = try await AssignmentReader(settings: settings, ports: ports).read(file: assignment)
            return .success((assignment, await Preflight(settings: settings, ports: ports).judge(assignment)))
        } catch {
            return .failure(error)
        }
    }
}
