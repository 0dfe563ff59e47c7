internal import AgentCore
internal import Locking

/// One download, as its workers share it.
final class FolderDownload: Sendable {
    private struct State {
        var board: DownloadBoard
        var record: ModelCacheRecord
        /// MD5 of files that came whole and did not match the store's tag, by name.
        var otherDigests: [String: String] = [:]
        /// Files that are past the cache in front of the store.
        var fromStore: Set<String> = []
        /// False once the same content has come twice under a tag that is not its MD5.
        var areTagsDigests = true
    }

    private let folder: String
    private let sources: PartSource
    private let cache: ModelCache
    private let models: any ModelStorage
    private let log: any OperatorLog
    private let state: Mutex<State>
    private let arrived = ByteTally()
    private let unchecked: [ModelFile]

    init(
        _ folder: ModelCache.Folder, sources: PartSource, cache: ModelCache, models: any ModelStorage,
        log: any OperatorLog
    ) {
        self.folder = folder.path
        self.sources = sources
        self.cache = cache
        self.models = models
        self.log = log
        state = Mutex(State(board: DownloadBoard(folder.plan), record: folder.record))
        unchecked = folder.plan.unchecked
    }

    var arrivedBytes: UInt64 { UInt64(clamping: arrived.total) }

    /// Takes parts until there are none. Returns why the download cannot go on; nil where it can, or nobody waits.
    func work() async -> FailureReport? {
        do throws(FailureReport) {
            while !Task.isCancelled, let part = state.withLock({ $0.board.next() }) { try await bring(part) }
            return nil
        } catch {
            return Task.isCancelled ? nil : error
        }
    }

    /// Before the first part: files that an earlier agent had come to the end of.
    func checkEarlierFiles() async throws(FailureReport) {
        for file in unchecked { try await check(file) }
    }

    private func bring(_ part: DownloadPart) async throws(FailureReport) {
        let tell = { [arrived] in arrived.add($0) } as @Sendable (Int) -> Void
        let mayBeCached = sources.isCached(part.file) && !state.withLock { $0.fromStore.contains(part.file.name) }
        var isThere = false
        if mayBeCached { isThere = await sources.fetchCached(part, arrived: tell) }
        if !isThere { try await sources.fetch(part, arrived: tell) }
        let isWhole = state.withLock { state in
            let isWhole = state.board.landed(part)
            state.record.files[part.file.name] = ModelCacheRecord.File(
                bytes: part.file.bytes, tag: part.file.tag, parts: state.board.parts(of: part.file))
            return isWhole
        }
        if isWhole { return try await check(part.file) }
        try await keep()
    }

    private func check(_ file: ModelFile) async throws(FailureReport) {
        let areDigests = state.withLock { $0.areTagsDigests }
        let check = FileCheck(models: models)
        let verdict = try await check.judge(file, at: partial(file), isDigestKnown: areDigests)
        guard case .otherDigest(let digest) = verdict else { return try await finish(file) }
        let isSameAgain = state.withLock { state in
            let before = state.otherDigests.updateValue(digest, forKey: file.name)
            if before == digest { state.areTagsDigests = false }
            return before == digest
        }
        if isSameAgain {
            log.write(.info, "the store's ETags are no MD5; files are checked by size and header")
            return try await finish(file)
        }
        log.write(.warning, "\(file.name) came with MD5 \(digest), not \(file.digest ?? ""); once more")
        arrived.add(-Int(clamping: file.bytes))
        state.withLock { state in
            state.fromStore.insert(file.name)
            state.board.again(file)
        }
    }

    private func finish(_ file: ModelFile) async throws(FailureReport) {
        try await FileCheck(models: models).finish(partial(file), as: "\(folder)/\(file.name)")
        state.withLock { $0.record.files[file.name] = ModelCacheRecord.File(bytes: file.bytes, tag: file.tag) }
        try await keep()
    }

    /// What is known when it is its turn to be written, so that a later word never makes way for an earlier one.
    private func keep() async throws(FailureReport) {
        try await cache.keep(in: folder) { [self] in state.withLock { $0.record } }
    }

    private func partial(_ file: ModelFile) -> String { "\(folder)/\(file.name)\(ModelFile.partSuffix)" }
}
