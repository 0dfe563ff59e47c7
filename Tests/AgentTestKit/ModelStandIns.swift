package import AgentCore
internal import Locking

/// Stands in for the disk of downloaded models, and for the way to it: what is fetched lands in its files.
package final class InMemoryModels: ModelStorage, ObjectFetcher {
    private struct State {
        var files: [String: [UInt8]] = [:]
        var removed: [String] = []
        var finished: [String] = []
    }

    package typealias Answer = @Sendable (HTTPRequest) async throws(FetchFailure) -> HTTPResponse

    private let state = Mutex(State())
    private let kept = Mutex<[HTTPRequest]>([])
    private let answer: Answer

    /// Answers each request with the bytes that are to be written.
    package init(_ answer: @escaping Answer = { _ throws(FetchFailure) in throw .network(HTTPFailure(.other, "none")) }) {
        self.answer = answer
    }

    package var asked: [HTTPRequest] { kept.withLock { $0 } }
    /// Final names, in the order in which files became whole.
    package var finished: [String] { state.withLock { $0.finished } }
    package var removedFolders: [String] { state.withLock { $0.removed } }

    package func put(_ bytes: [UInt8], at path: String) { state.withLock { $0.files[path] = bytes } }
    package func bytes(at path: String) -> [UInt8]? { state.withLock { $0.files[path] } }

    package func fetch(
        _ request: HTTPRequest, into path: String, at offset: UInt64, arrived: @escaping @Sendable (Int) -> Void
    ) async throws(FetchFailure) -> HTTPResponse {
        kept.withLock { $0.append(request) }
        var response = try await answer(request)
        guard response.status / 100 == 2 else { return response }
        let body = response.body
        state.withLock { state in
            var file = state.files[path] ?? []
            let end = Int(offset) + body.count
            if file.count < end { file += [UInt8](repeating: 0, count: end - file.count) }
            file.replaceSubrange(Int(offset)..<end, with: body)
            state.files[path] = file
        }
        arrived(body.count)
        response.body = []
        return response
    }

    package func sizes(below folder: String) throws(FileFailure) -> [String: UInt64] {
        state.withLock { state in
            state.files.reduce(into: [:]) { sizes, file in
                guard file.key.hasPrefix(folder + "/") else { return }
                sizes[String(file.key.dropFirst(folder.count + 1))] = UInt64(file.value.count)
            }
        }
    }

    package func makeFolder(_ folder: String) throws(FileFailure) {}

    package func begin(_ path: String, bytes: UInt64) throws(FileFailure) {
        put([UInt8](repeating: 0, count: Int(bytes)), at: path)
    }

    package func head(of path: String, count: Int) throws(FileFailure) -> [UInt8] {
        Array((bytes(at: path) ?? []).prefix(count))
    }

    /// No MD5, and as good: the sum of the bytes, in 32 digits.
    package static func digest(_ bytes: [UInt8]) -> String {
        let sum = String(bytes.reduce(0) { $0 + Int($1) })
        return String(repeating: "0", count: 32 - sum.count) + sum
    }

    package func md5(of path: String) throws(FileFailure) -> String? { Self.digest(bytes(at: path) ?? []) }

    package func finish(_ path: String, as name: String) throws(FileFailure) {
        state.withLock { state in
            state.files[name] = state.files.removeValue(forKey: path)
            state.finished.append(name)
        }
    }

    package func removeFolder(_ folder: String) throws(FileFailure) {
        state.withLock { state in
            state.files = state.files.filter { !$0.key.hasPrefix(folder + "/") }
            state.removed.append(folder)
        }
    }
}
