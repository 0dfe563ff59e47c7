package import AgentCore
internal import Dispatch
internal import Locking

/// For an engine that runs as the agent's own user.
package struct LocalCacheCarrier: CacheCarrier {
    package let outgoing: String
    package let incoming: String
    private let root: String
    private let reference: String
    private let queue = DispatchQueue(label: "io.crosslogic.caches", qos: .background)

    /// - Parameters:
    ///   - root: `VLLM_CACHE_ROOT`.
    ///   - folder: the agent's own, for what is on its way.
    ///   - reference: a file that is written just before the engine is executed.
    package init(root: String, folder: String, reference: String) {
        self.root = root
        self.reference = reference
        outgoing = "\(folder)/outgoing"
        incoming = "\(folder)/incoming"
    }

    package func prepareIncoming() async throws(FileFailure) {
        try await detached { () throws(FileFailure) in try CachePacking.makeEmpty(incoming, mode: 0o700) }
    }

    package func pack() async throws(FileFailure) {
        try await detached { () throws(FileFailure) in
            try LinuxFileStore().createFolders(outgoing)
            try CachePacking.pack(root: root, into: outgoing, since: reference)
        }
    }

    package func unpack() async throws(FileFailure) {
        try await detached { () throws(FileFailure) in try CachePacking.unpack(from: incoming, root: root) }
    }

    package func clean() async {
        // What stays is removed before the next packing.
        try? await detached { () throws(FileFailure) in try CachePacking.clean(outgoing) }
    }

    /// Disks can hang, so a cancelled task does not wait for what it has begun.
    private func detached(_ work: @escaping @Sendable () throws(FileFailure) -> Void) async throws(FileFailure) {
        try await Abandonable.run(on: queue, work)
    }
}

/// Waits for work on a queue, but no longer than the task lives.
enum Abandonable {
    static func run(
        on queue: DispatchQueue, _ work: @escaping @Sendable () throws(FileFailure) -> Void
    ) async throws(FileFailure) {
        let (results, continuation) = AsyncStream<FileFailure?>.makeStream()
        queue.async {
            do throws(FileFailure) {
                try work()
                continuation.yield(nil)
            } catch {
                continuation.yield(error)
            }
            continuation.finish()
        }
        for await failure in results {
            if let failure { throw failure }
            return
        }
        throw FileFailure(operation: "wait", path: "the engine's caches", errno: 125, reason: "no time left")
    }
}
