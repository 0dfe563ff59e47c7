internal import Glibc
internal import NIOCore

/// Why the server cannot listen.
package struct HeartbeatServerFailure: Error, Equatable, Sendable {
    /// What failed, where, and what to do.
    package var message: String

    static func notAnAddress(_ host: String) -> Self {
        Self(message: "cannot listen for heartbeats: \"\(host)\" is not an IP address; use one of this machine's")
    }

    init(message: String) {
        self.message = message
    }

    init(_ error: any Error, host: String, port: UInt16) {
        let place = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        let failure = "cannot listen for heartbeats on \(place)"
        guard let error = error as? IOError else {
            message = "\(failure): \(error)"
            return
        }
        let reason = String(cString: strerror(error.errnoCode))
        let remedy =
            switch error.errnoCode {
            case EADDRINUSE: "stop what listens there (`ss -ltnp sport = :\(port)` names it) or choose another port"
            case EADDRNOTAVAIL: "choose an address of this machine (`ip address` lists them)"
            case EACCES: "choose a port above 1023"
            default: "choose another address or port"
            }
        message = "\(failure): \(reason); \(remedy)"
    }
}
