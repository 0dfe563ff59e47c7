package import AgentCore
internal import Dispatch
internal import Glibc
internal import Locking

/// For an engine with a user of its own: `crosslogic-caches@.service` does the work as that user.
///
/// A connection of its own, so that packing holds up no order to the engine.
package final class UnitCacheCarrier: CacheCarrier {
    /// `CacheDirectory=` of the unit.
    package var outgoing: String { "/var/cache/crosslogic-caches" }
    package let incoming: String
    private let executor = QueueExecutor(label: "io.crosslogic.caches")
    private let door: EngineDoor

    /// The state folder is the agent's own; others may look into it.
    package init(path: String = SystemdEngineHost.standardPath, stateFolder: String) {
        incoming = "\(stateFolder)/caches-incoming"
        door = EngineDoor(path, on: executor)
    }

    package func prepareIncoming() async throws(FileFailure) {
        try await Abandonable.run(on: executor.queue) { [incoming] () throws(FileFailure) in
            try CachePacking.makeEmpty(incoming, mode: 0o755)
        }
    }

    package func pack() async throws(FileFailure) { try await ask(.packCaches) }
    package func unpack() async throws(FileFailure) { try await ask(.unpackCaches) }

    package func clean() async {
        // What stays is removed before the next packing.
        try? await ask(.cleanCaches)
    }

    private func ask(_ verb: EngineDoor.Verb) async throws(FileFailure) {
        let unit = "crosslogic-caches@\(verb.rawValue.prefix { $0 != "-" }).service"
        try await Abandonable.run(on: executor.queue) { [door] () throws(FileFailure) in
            switch door.askHere(verb) {
            case .success(let answer) where answer.isDone: return
            case .success:
                throw FileFailure(
                    operation: "start", path: unit, errno: EIO, reason: "it failed; `systemctl status` says why")
            case .failure(let error): throw error.on(EngineDoor.standardPath)
            }
        }
    }
}
