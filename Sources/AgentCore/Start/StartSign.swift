/// Something that shows how far a start has come. The engine's log is one witness among several, and silent for most of
/// the time; the others are its processes, its port, the bytes it receives and what the agent does itself.
package enum StartSign: Equatable, Sendable {
    /// The agent began to prepare this start.
    case preparing
    /// The preflight is over and the model's files are on their way to the disk; so many bytes are missing.
    case downloading(bytes: Int64)
    /// Everything is in place for the exec.
    case prepared
    case executed
    /// The first line of the engine's log, whatever it says.
    case spoke
    case log(LogFact)
    /// A process that the engine made of itself: `VLLM::EngineCore`, or Python's spawn before it has a title.
    case engineCoreSeen
    /// `VLLM::Worker…`, or a second spawned process.
    case workerSeen
    case portListening
    /// `/health` answered 200.
    case healthy
    case firstToken
    /// Bytes received so far, by a counter that only rises.
    case received(bytes: Int64, by: Receiver)
    /// The agent has given this start up, or its main process ended.
    case ended

    /// Whose bytes were counted.
    package enum Receiver: String, Sendable {
        /// Everything the machine received: an upper bound.
        case network
        /// Only what the engine's own sockets received.
        case engineSockets = "engine_sockets"
    }
}

/// When something was seen, and by whom.
struct Moment: Equatable, Sendable {
    var at: BootInstant
    var source: Timeline.Source
}
