internal import AgentCore
internal import AgentWire
package import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import UnixSignals

/// The reference control plane: routes over a store, served over HTTP/1.1.
package struct ControlPlaneServer: Sendable {
    private let settings: ControlPlaneSettings
    private let store: NodeStore
    private let logger: Logger
    package let watchers: AssignmentWatchers

    /// How long a stop waits for requests in progress; whoever still sends one byte at a time is cut off then.
    package static let stopLimit = Duration.seconds(5)
    private static let maximumConnections = 2048

    package init(
        settings: ControlPlaneSettings, store: NodeStore, watchers: AssignmentWatchers = AssignmentWatchers(),
        logger: Logger
    ) {
        self.settings = settings
        self.store = store
        self.watchers = watchers
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT and returns when the last connection is closed.
    /// - Parameter onListening: told the port once connections are accepted.
    /// - Throws: what binding the address throws.
    package func run(onListening: @escaping @Sendable (Int) async -> Void) async throws {
        var configuration = ServiceGroupConfiguration(
            services: [application(onListening: onListening)], gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger)
        configuration.maximumGracefulShutdownDuration = Self.stopLimit
        try await ServiceGroup(configuration: configuration).run()
    }

    package func application(
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) -> Application<RouterResponder<BasicRequestContext>> {
        Application(
            router: router(),
            server: .http1(
                configuration: .init(
                    idleTimeout: .seconds(90),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 100))),
            configuration: ApplicationConfiguration(
                address: .hostname(settings.listen.host, port: settings.listen.port),
                availableConnectionsDelegate: MaximumAvailableConnections(Self.maximumConnections)),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? settings.listen.port) },
            logger: logger)
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware())
        router.get("healthz") { _, _ in Response.json(.object(["status": .string("ok")])) }

        let authentication = NodeAuthentication(store: store)
        let node = router.group("api/v1/nodes/:id")
        AssignmentRoute(
            store: store, watchers: watchers, authentication: authentication, credentials: settings.store
        )
        .add(to: node)
        EventRoute(store: store, authentication: authentication).add(to: node)

        let admin = router.group("api/v1/nodes").add(middleware: AdminAuthentication(token: settings.adminToken))
        NodeRoutes(store: store, watchers: watchers, bucket: settings.store?.bucket).add(to: admin)
        return router
    }
}
