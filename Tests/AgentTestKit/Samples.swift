package import AgentCore

extension Assignment {
    /// A complete, valid assignment of a small model.
    package static func sample(generation: Int64 = 1, model: String = "acme/tiny-llama") -> Assignment {
        let store = ObjectStore(
            endpoint: "https://account.r2.cloudflarestorage.com", bucket: "crosslogic-models",
            accessKeyID: Secret("canary-access-key"), secretAccessKey: Secret("canary-secret-key"))
        return Assignment(
            generation: generation, model: model, modelURI: "s3://crosslogic-models/\(model)", store: store)
    }
}

extension Handover {
    /// Of a start that has come to these phases, a second apart.
    package static func sample(
        generation: Int64 = 1, phases: [Phase] = [.agentStarted, .assignmentReceived, .preflightDone, .engineExec]
    ) -> Handover {
        var timeline = Timeline()
        for (second, phase) in phases.enumerated() {
            let source: Timeline.Source = phase == .modelInit ? .log : .agent
            timeline.record(phase, at: BootInstant(nanoseconds: Int64(second) * 1_000_000_000), source: source)
        }
        return Handover(assignment: .sample(generation: generation), timeline: timeline)
    }
}

extension EngineProcess {
    package static func named(_ title: String, pid: Int32) -> EngineProcess {
        EngineProcess(pid: pid, parent: 1, title: title, cpuTicks: 0, residentBytes: 0)
    }
}
