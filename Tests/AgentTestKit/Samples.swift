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

extension EngineProcess {
    package static func named(_ title: String, pid: Int32) -> EngineProcess {
        EngineProcess(pid: pid, parent: 1, title: title, cpuTicks: 0, residentBytes: 0)
    }
}
