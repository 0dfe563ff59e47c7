internal import AgentCore
internal import AgentWire
internal import Locking

/// Brings a model to this machine's disk, in parts side by side. Ends early, and leaves what has come, when its task is
/// cancelled.
struct ModelDownloader: Sendable {
    private static let progressEvery = Duration.seconds(1)

    let ports: AgentPorts
    let cache: ModelCache
    /// Requests at a time.
    let connections: Int

    /// - Returns: the folder that an engine can be started on.
    func bring(
        _ assignment: Assignment, from store: ObservedStore, _ inbox: Inbox
    ) async throws(FailureReport) -> String {
        let folder = try await cache.survey(store)
        let generation = assignment.generation
        inbox.send(.downloadBegan(generation: generation, ModelDownload(folder.plan)))
        try await cache.open(folder)
        guard folder.plan.state != .warm else { return folder.path }
        let requests = S3Requests(
            store: assignment.store, bucket: store.bucket, signer: ports.signer,
            wallTime: { [clocks = ports.clocks] in clocks.wallTime() })
        let cdn = store.bucket == assignment.store.bucket ? assignment.store.cdnDomain : nil
        let sources = PartSource(
            requests: requests, prefix: store.prefix, cdn: cdn, fetcher: ports.fetcher, folder: folder.path)
        let download = FolderDownload(folder, sources: sources, cache: cache, models: ports.models, log: ports.log)
        try await transfer(download) { inbox.send(.downloadMoved(generation: generation, bytes: $0)) }
        return folder.path
    }

    private func transfer(
        _ download: FolderDownload, _ tell: @escaping @Sendable (UInt64) -> Void
    ) async throws(FailureReport) {
        try await download.checkEarlierFiles()
        let failure = await withTaskGroup(of: FailureReport?.self) { group in
            for _ in 0..<connections { group.addTask { await download.work() } }
            return await withDiscardingTaskGroup(returning: FailureReport?.self) { watch in
                watch.addTask {
                    while (try? await Task.sleep(for: Self.progressEvery)) != nil { tell(download.arrivedBytes) }
                }
                defer { watch.cancelAll() }
                for await failure in group where failure != nil {
                    group.cancelAll()
                    return failure
                }
                return nil
            }
        }
        tell(download.arrivedBytes)
        if let failure { throw failure }
    }
}
