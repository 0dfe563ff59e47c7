/// Wakes one waiting task. Raised while nobody waits, it is kept, but no more than once.
struct Signal: Sendable {
    private let raised: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (raised, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func raise() { continuation.yield() }

    /// Returns at once, and for ever after, when the task is cancelled.
    func wait() async {
        for await _ in raised { return }
    }

    func wait(atMost limit: Duration) async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                // The timer raises the signal, because a cancelled wait would end the stream for good.
                if (try? await Task.sleep(for: limit)) != nil { raise() }
            }
            await wait()
            group.cancelAll()
        }
    }
}
