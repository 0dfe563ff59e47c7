internal import AgentCore
internal import AgentWire
internal import Glibc
internal import HTTPTypes
package import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
package import ServiceLifecycle
package import UnixSignals

/// The address cannot be had: taken, not ours, or not to be resolved.
package struct ListenFailure: Error, Equatable, Sendable {
    package var message: String
}

/// The reference control plane: routes over a store, served over HTTP/1.1.
package struct ControlPlaneServer: Sendable {
    private let settings: ControlPlaneSettings
    private let store: NodeStore
    private let logger: Logger
    private let fleet: Fleet
    private let watchers: AssignmentWatchers
    /// How long a stop waits for requests in progress before it cuts them off.
    private let stopLimit: Duration

    private let maximumConnections: Int

    package init(
        settings: ControlPlaneSettings, store: NodeStore, fleet: Fleet? = nil,
        watchers: AssignmentWatchers = AssignmentWatchers(),
        stopLimit: Duration = .seconds(5), logger: Logger
    ) {
        self.settings = settings
        self.store = store
        self.fleet =
            fleet
            ?? Fleet(
                past: store.directory.past, revoked: store.directory.revoked,
                asksForHeartbeats: settings.asksForHeartbeats)
        self.watchers = watchers
        self.stopLimit = stopLimit
        maximumConnections = DescriptorLimit.connections()
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT and returns when the last connection is closed.
    /// - Parameter onListening: told the address once connections are accepted.
    /// - Throws: `ListenFailure` when the address cannot be had.
    package func run(onListening: @escaping @Sendable (ListenAddress) async -> Void) async throws {
        do {
            try await serviceGroup(stoppedBy: [.sigterm, .sigint], onListening: onListening).run()
        } catch let error as IOError {
            let reason = String(cString: strerror(error.errnoCode))
            throw ListenFailure(message: "cannot listen on \(settings.listen): \(reason)")
        } catch is SocketAddressError.UnknownHost {
            throw ListenFailure(message: "cannot listen on \(settings.listen): the name cannot be resolved")
        }
    }

    package func serviceGroup(
        stoppedBy signals: [UnixSignal] = [], onListening: @escaping @Sendable (ListenAddress) async -> Void
    ) -> ServiceGroup {
        var configuration = ServiceGroupConfiguration(
            services: [
                LivenessWatch(fleet: self.fleet, store: store, logger: logger), application(onListening: onListening),
            ], gracefulShutdownSignals: signals, logger: logger)
        configuration.maximumGracefulShutdownDuration = stopLimit
        return ServiceGroup(configuration: configuration)
    }

    /// A fleet that was cut off comes back within seconds; the kernel's somaxconn limits it too.
    private static let backlog = 4096

    private static let http = HTTP1Channel.Configuration(
        idleTimeout: .seconds(90),
        httpDecoderConfiguration: .init(
            maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 100))

    private var gateway: NodeGateway {
        NodeGateway(store: store, fleet: fleet, watchers: watchers, credentials: settings.store)
    }

    package func application(
        onListening: @escaping @Sendable (ListenAddress) async -> Void = { _ in }
    ) -> Application<RouterResponder<BasicRequestContext>> {
        let handedOver = HandedOverConnections(logger)
        return Application(
            router: router(),
            server: HTTPServerBuilder { [gateway] responder in
                let server = HTTP1Channel(responder: responder, configuration: Self.http)
                return NodeFirstChannel(gateway: gateway, httpServer: HTTPHandover(to: server, handedOver))
            },
            configuration: ApplicationConfiguration(
                address: .hostname(settings.listen.host, port: settings.listen.port), backlog: Self.backlog,
                availableConnectionsDelegate: MaximumAvailableConnections(maximumConnections)),
            services: [handedOver],
            onServerRunning: { [listen = settings.listen] channel in
                // NIO takes four a turn, and with thousands of busy connections a turn is long. It cannot fail here.
                try? await channel.setOption(.maxMessagesPerRead, value: 256)
                await onListening(
                    ListenAddress(host: listen.host, port: channel.localAddress?.port ?? listen.port))
            },
            logger: logger)
    }

    private static let methods = PathMethods([
        "/": [.get], "nodes/:id": [.get], "style.css": [.get], "healthz": [.get],
        "api/v1/nodes": [.get, .post], "api/v1/nodes/:id": [.get, .put, .delete],
        "api/v1/nodes/:id/assignment": [.get], "api/v1/nodes/:id/events": EventRoute.methods,
        "api/v1/nodes/:id/heartbeat": [.put], "api/v1/nodes/:id/end": [.put, .delete],
        "api/v1/fleet": [.get], "api/v1/fleet/brake": [.delete], "api/v1/starts": [.get],
    ])

    private func router() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware(methods: Self.methods))
        router.get("healthz") { _, _ in Response.json(.object(["status": .string("ok")])) }

        let authentication = NodeAuthentication(store: store)
        let node = router.group("api/v1/nodes/:id")
        AssignmentRoute(
            store: store, fleet: fleet, watchers: watchers, authentication: authentication,
            credentials: settings.store
        )
        .add(to: node)
        EventRoute(store: store, fleet: fleet, authentication: authentication).add(to: node)
        HeartbeatRoute(fleet: fleet, authentication: authentication).add(to: node)

        let guardian = AdminAuthentication<BasicRequestContext>(token: settings.adminToken)
        let nodes = router.group("api/v1/nodes").add(middleware: guardian)
        NodeRoutes(store: store, fleet: fleet, watchers: watchers, bucket: settings.store?.bucket).add(to: nodes)
        EndRoute(store: store, watchers: watchers).add(to: nodes)
        FleetRoutes(store: store, fleet: fleet, watchers: watchers)
            .add(to: router.group("api/v1").add(middleware: guardian))
        PageRoutes(store: store, fleet: fleet)
            .add(to: router.group().add(middleware: PageAuthentication(token: settings.adminToken)))
        return router
    }
}
