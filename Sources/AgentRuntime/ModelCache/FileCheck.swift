internal import AgentCore
internal import AgentWire
internal import Locking

/// Proves that a file came whole. An actor for each, because a digest takes seconds and must not hold up the others.
actor FileCheck {
    enum Verdict: Equatable, Sendable {
        case sound
        /// Its MD5 is not the store's tag.
        case otherDigest(String)
    }

    private let models: any ModelStorage
    private let executor = QueueExecutor(label: "io.crosslogic.file-check")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(models: any ModelStorage) {
        self.models = models
    }

    /// `isDigestKnown` is false for a store whose tags have turned out to be no digests.
    func judge(
        _ file: ModelFile, at path: String, isDigestKnown: Bool
    ) throws(FailureReport) -> Verdict {
        if file.isWeights { try checkHeader(of: file, at: path) }
        guard isDigestKnown, let wanted = file.digest else { return .sound }
        let digest = try onDisk { models throws(FileFailure) in try models.md5(of: path) }
        guard let digest, digest != wanted else { return .sound }
        return .otherDigest(digest)
    }

    /// Under its final name from then on.
    func finish(_ path: String, as name: String) throws(FailureReport) {
        try onDisk { models throws(FileFailure) in try models.finish(path, as: name) }
    }

    private func onDisk<Result>(
        _ body: (any ModelStorage) throws(FileFailure) -> Result
    ) throws(FailureReport) -> Result {
        do throws(FileFailure) {
            return try body(models)
        } catch {
            throw DownloadTrouble(error).report
        }
    }

    /// Shorter than its header says is a shard cut short; a longer one was warned about before the download.
    private func checkHeader(of file: ModelFile, at path: String) throws(FailureReport) {
        let first = try onDisk { models throws(FileFailure) in try models.head(of: path, count: 8) }
        guard let length = Safetensors.headerBytes(first), length <= Safetensors.maximumHeaderBytes else { return }
        let head = try onDisk { models throws(FileFailure) in try models.head(of: path, count: Int(length)) }
        guard let header = try? Safetensors.header(head) else {
            throw FailureReport(
                .weightsFormat, message: "\(file.name) was downloaded and is no safetensors file", process: "agent")
        }
        guard let wanted = header.objectBytes, wanted <= file.bytes else {
            let size = header.objectBytes.map(String.init) ?? "more than any file"
            throw FailureReport(
                .weightsIncomplete, message: "\(file.name) has \(file.bytes) bytes; its header says \(size)",
                process: "agent")
        }
    }
}
