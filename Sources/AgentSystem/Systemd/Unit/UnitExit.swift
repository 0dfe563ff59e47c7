internal import AgentCore
internal import Dispatch
internal import Locking

/// Asks for the engine's end over a connection of its own: the one of the start is busy for as long as that waits, and
/// only a stop can end the wait.
struct UnitExit: Sendable {
    private let executor = QueueExecutor(label: "io.crosslogic.engine-exit")
    private let door: EngineDoor

    init(_ path: String) {
        door = EngineDoor(path, on: executor)
    }

    /// Opens the connection: none is served any more once PID 1 stops the agent, as that goes before what starts.
    func open() {
        executor.queue.async { [door] in _ = door.askHere(.status, .main) }
    }

    private static let again = DispatchTimeInterval.seconds(1)

    /// Returns at once, and asks again and again: what was asked before PID 1 had the start in its queue came to nothing.
    func insist(
        on verb: EngineDoor.UnitVerb, _ place: EnginePlace, while isMeant: @escaping @Sendable () -> Bool
    ) {
        ask(verb, place, while: isMeant)
        executor.queue.asyncAfter(deadline: .now() + Self.again) {
            if isMeant() { insist(on: verb, place, while: isMeant) }
        }
    }

    /// Returns at once. What it leads to is seen at the unit itself.
    func ask(_ verb: EngineDoor.UnitVerb, _ place: EnginePlace, while isMeant: @escaping @Sendable () -> Bool) {
        executor.queue.async { [door] in
            guard isMeant() else { return }
            _ = door.askHere(verb, place)
        }
    }
}
