internal import AgentCore
internal import AgentWire
internal import ControlPlane
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdTesting
internal import Logging
internal import ServiceLifecycle
internal import Testing

/// A control plane over a real database in a folder of its own.
struct TestControlPlane {
    let store: NodeStore
    let server: ControlPlaneServer
    /// How many polls wait, each time that changes.
    let waitingPolls: AsyncStream<Int>

    static let credentials: ObjectStore = {
        var store = ObjectStore(
            endpoint: "https://account.r2.cloudflarestorage.com", bucket: "crosslogic-models",
            accessKeyID: Secret(Canary.accessKey), secretAccessKey: Secret(Canary.secretKey))
        store.cdnDomain = "models.example.org"
        return store
    }()

    init(
        in folder: TemporaryFolder, adminToken: String? = nil, credentials: ObjectStore? = Self.credentials,
        pollsPerNode: Int = 8, stopLimit: Duration = .seconds(20)
    ) throws {
        store = try NodeStore(directory: folder.path)
        let (counts, continuation) = AsyncStream.makeStream(of: Int.self)
        waitingPolls = counts
        let watchers = AssignmentWatchers(capacityPerNode: pollsPerNode) { continuation.yield($0) }
        let settings = ControlPlaneSettings(
            listen: ListenAddress(host: "127.0.0.1", port: 0), adminToken: adminToken.map(Secret.init),
            store: credentials)
        server = ControlPlaneServer(
            settings: settings, store: store, watchers: watchers, stopLimit: stopLimit,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Requests go to the router itself, without a socket.
    func withRouter(_ body: @Sendable (Client) async throws -> Void) async throws {
        try await server.application().test(.router) { try await body(Client(test: $0)) }
    }

    /// Runs the server on a port of its own. The body may stop it; else it is stopped when the body is done.
    func withSocket(_ body: @escaping @Sendable (ListenAddress, ServiceGroup) async throws -> Void) async throws {
        let (addresses, listening) = AsyncStream.makeStream(of: ListenAddress.self)
        let group = server.serviceGroup { listening.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { listening.finish() }
                try await group.run()
            }
            var iterator = addresses.makeAsyncIterator()
            if let address = await iterator.next() {
                do {
                    try await body(address, group)
                } catch {
                    await group.triggerGracefulShutdown()
                    throw error
                }
            } else {
                Issue.record("the server did not come to listen")
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// Returns once exactly `count` polls wait.
    func waitUntilPolling(_ count: Int) async {
        for await now in waitingPolls where now == count { return }
        Issue.record("the number of waiting polls ended before it was \(count)")
    }
}
