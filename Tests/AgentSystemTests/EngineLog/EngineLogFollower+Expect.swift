internal import AgentCore
internal import Testing

extension EngineLogFollower {
    /// Reads as many bytes as `text` has; the test's time limit bounds the wait.
    func expect(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) async {
        let read = await bytes(text.utf8.count)
        #expect(String(decoding: read, as: UTF8.self) == text, sourceLocation: sourceLocation)
    }

    func bytes(_ count: Int) async -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, let chunk = await next() { bytes += chunk }
        return bytes
    }

    /// What came until the deadline, where that is less: for tests that say more than that time is up.
    func bytes(_ count: Int, deadline: Duration) async -> [UInt8] {
        await withTaskGroup(of: [UInt8]?.self) { group in
            group.addTask { await bytes(count) }
            group.addTask {
                try? await Task.sleep(for: deadline)
                return nil
            }
            let first = await group.next()
            group.cancelAll()
            if case .some(.some(let bytes)) = first { return bytes }
            return await group.next().flatMap { $0 } ?? []
        }
    }

    /// Everything that is there to be read.
    func rest() async -> [UInt8] {
        finish()
        var bytes: [UInt8] = []
        while let chunk = await next() { bytes += chunk }
        return bytes
    }

    func expectNothingMore(sourceLocation: SourceLocation = #_sourceLocation) async {
        let rest = await rest()
        #expect(rest.isEmpty, sourceLocation: sourceLocation)
    }

    func replayed() async -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = await replay() { bytes += chunk }
        return bytes
    }
}
