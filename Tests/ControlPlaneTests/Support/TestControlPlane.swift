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
        fleet: Fleet? = nil, maximumWaitingEvents: Int = 16_384, pollsPerNode: Int = 8, stopLimit: Duration = .seconds(20)
    ) throws {
        store = try NodeStore(directory: folder.path, maximumWaitingEvents: maximumWaitingEvents)
        let (counts, continuation) = AsyncStream.makeStream(of: Int.self)
        waitingPolls = counts
        let watchers = AssignmentWatchers(capacityPerNode: pollsPerNode) { continuation.yield($0) }
        let settings = ControlPlaneSettings(
            listen: ListenAddress(host: "127.0.0.1", port: 0), adminToken: adminToken.map(Secret.init),
            store: credentials)
        server = ControlPlaneServer(
            settings: settings, store: store, fleet: fleet, watchers: watchers, stopLimit: stopLimit,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Requests go to the router itself, without a socket.
    func withRouter<Value>(_ body: @Sendable (Client) async throws -> Value) async throws -> Value {
        try await server.application().test(.router) { try await body(Client(test: $0)) }
    }

    /// Runs the server on a port of its own. The body may stop it; else it is stopped when the body is done.
    func withSocket<Value: Sendable>(
        _ body: @Sendable (ListenAddress, ServiceGroup) async throws -> Value
    ) async throws -> Value {
        let (addresses, listening) = AsyncStream.makeStream(of: ListenAddress.self)
        let group = server.serviceGroup { listening.yield($0) }
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { listening.finish() }
                try await group.run()
            }
            var iterator = addresses.makeAsyncIterator()
            let address = try #require(await iterator.next(), "the server did not come to listen")
            do {
                let value = try await body(address, group)
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                return value
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
        }
    }

    /// Returns once exactly `count` polls wait.
    func waitUntilPolling(_ count: Int) async {
        for await now in waitingPolls where now == count { return }
        Issue.record("the number of waiting polls ended before it was \(count)")
    }
}
