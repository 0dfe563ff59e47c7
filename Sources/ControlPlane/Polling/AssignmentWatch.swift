internal import ServiceLifecycle

/// One registered poll.
struct AssignmentWatch: Sendable {
    let news: AsyncStream<Void>
    let continuation: AsyncStream<Void>.Continuation

    /// Returns at the first news of the node, after `limit`, when the server begins to stop or when the task is
    /// cancelled because the client is gone; the caller looks which it was.
    func wait(atMost limit: Duration) async {
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in news { return } }
                group.addTask { try? await Task.sleep(for: limit) }
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            continuation.finish()
        }
    }
}
