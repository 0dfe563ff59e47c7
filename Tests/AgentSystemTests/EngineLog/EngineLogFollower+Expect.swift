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
