internal import Locking

/// Too many polls wait already. The node asks again later.
struct TooManyWatchers: Error {
    let detail: String
}

/// Who waits for news of which node.
///
/// A poll registers first and reads the database second, so no change falls between the two. Waking is a hint:
/// whoever wakes reads the database again, which alone is the truth.
package final class AssignmentWatchers: Sendable {
    private struct State {
        var waiting: [String: [UInt64: AsyncStream<Void>.Continuation]] = [:]
        var count = 0
        var lastKey: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let capacityPerNode: Int
    private let countChanged: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - capacity: polls of all nodes together.
    ///   - capacityPerNode: a node needs one; the others are polls whose end the server has not noticed yet.
    ///   - countChanged: told how many polls wait whenever one comes or goes.
    package init(
        capacity: Int = 4096, capacityPerNode: Int = 8, countChanged: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.capacity = capacity
        self.capacityPerNode = capacityPerNode
        self.countChanged = countChanged
    }

    /// Runs `body` while registered for news of `node`.
    /// - Throws: `TooManyWatchers`, or what `body` throws.
    func watching<Value>(_ node: String, _ body: (AssignmentWatch) async throws -> Value) async throws -> Value {
        let (news, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let key = try register(continuation, for: node)
        defer { unregister(key, for: node) }
        return try await body(AssignmentWatch(news: news, continuation: continuation))
    }

    /// Polls that wait now.
    var waiting: Int {
        state.withLock { $0.count }
    }

    /// Wakes everyone who waits for news of `node`.
    func notify(_ node: String) {
        let waiting = state.withLock { Array(($0.waiting[node] ?? [:]).values) }
        for continuation in waiting { continuation.yield() }
    }

    private func register(_ continuation: AsyncStream<Void>.Continuation, for node: String) throws -> UInt64 {
        let (key, count) = try state.withLock { state in
            guard state.count < capacity else {
                throw TooManyWatchers(detail: "\(capacity) polls wait already")
            }
            guard state.waiting[node, default: [:]].count < capacityPerNode else {
                throw TooManyWatchers(detail: "\(capacityPerNode) polls of this node wait already")
            }
            state.lastKey += 1
            state.count += 1
            state.waiting[node, default: [:]][state.lastKey] = continuation
            return (state.lastKey, state.count)
        }
        countChanged(count)
        return key
    }

    private func unregister(_ key: UInt64, for node: String) {
        let count = state.withLock { state in
            state.waiting[node]?[key] = nil
            state.count -= 1
            if state.waiting[node]?.isEmpty == true { state.waiting[node] = nil }
            return state.count
        }
        countChanged(count)
    }
}
