internal import HummingbirdCore
internal import NIOCore

/// Makes the pipeline of a connection that of an HTTP server. One object, because every connection holds it.
final class HTTPHandover: Sendable {
    let connections: HandedOverConnections
    private let server: HTTP1Channel

    init(to server: HTTP1Channel, _ connections: HandedOverConnections) {
        self.server = server
        self.connections = connections
    }

    /// On the channel's loop.
    func take(_ channel: any Channel) {
        server.setup(channel: channel, logger: connections.logger).whenComplete { [server, connections] result in
            switch result {
            case .success(let connection): connections.serve(connection, by: server)
            case .failure:
                channel.close(promise: nil)
                connections.ended()
            }
        }
    }
}
