internal import AgentCore
internal import AgentWire

/// Asks what one source says, when it says so. Its own wall clock bounds every question, whatever the client does, and
/// no proxy ever sees one.
struct MetadataPoller: Sendable {
    /// Beyond the question's own time, before the client is not waited for any more.
    private static let grace = Duration.milliseconds(250)

    let http: any HTTPClient
    let clocks: any Clocks
    let inbox: Inbox
    let approvals: NoticeApprovals

    func run(_ source: any MetadataSource) async {
        var source = source
        let name = source.name
        inbox.send(.preemption(.found(.begun, source: name)))
        defer { inbox.send(.preemption(.found(.ended, source: name))) }
        while !Task.isCancelled {
            for id in approvals.take(source.name) { source.approve(noticeID: id) }
            switch source.next(at: clocks.now()) {
            case .wait(let until):
                try? await Task.sleep(for: max(until - clocks.now(), .milliseconds(1)))
            case .ask(let query):
                let answer = await ask(query)
                guard !Task.isCancelled else { return }
                for finding in source.take(answer) {
                    inbox.send(.preemption(.found(finding, source: source.name)), at: clocks.now())
                }
            }
        }
    }

    private func ask(_ query: MetadataQuery) async -> MetadataAnswer {
        await withTaskGroup(of: MetadataAnswer?.self) { group in
            group.addTask { await send(query) }
            group.addTask {
                try? await Task.sleep(for: query.timeout + Self.grace)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first ?? .failed(reason: "no answer within \(query.timeout)", at: clocks.now())
        }
    }

    private func send(_ query: MetadataQuery) async -> MetadataAnswer {
        var request = HTTPRequest(query.method, query.url, timeout: query.timeout)
        request.connectTimeout = query.timeout
        request.maximumResponseBytes = MetadataResponse.maximumBytes
        request.mayUseProxy = false
        request.body = query.body
        request.headers = query.headers.sorted { $0.key < $1.key }.map { ($0.key, Secret($0.value)) }
        do {
            let response = try await http.send(request)
            return .response(
                MetadataResponse(
                    status: response.status, headers: response.headers, body: response.body, at: response.firstByteAt))
        } catch {
            return .failed(reason: "\(error.kind.rawValue): \(error.message)", at: clocks.now())
        }
    }
}
