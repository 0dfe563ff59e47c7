package import AgentCore
internal import Locking

internal import struct Synchronization.Atomic

/// Stands in for systemd: keeps and announces every state.
package final class RecordingServiceManager: ServiceManager {
    package let states: AsyncStream<String>
    private let told: AsyncStream<String>.Continuation

    package init() {
        (states, told) = AsyncStream.makeStream()
    }

    package func notify(_ state: String) { told.yield(state) }

    package func serving(_ isServing: Bool) { told.yield(isServing ? "serving" : "idle") }
}

/// Stands in for an engine's log: says nothing, and ends when it is asked to.
package struct SilentEngineLog: EngineLogSource {
    private struct Follower: EngineLogFollower {
        let end = AsyncStream<Never>.makeStream()

        func replay() async -> [UInt8]? { nil }

        func next() async -> [UInt8]? {
            for await _ in end.stream {}
            return nil
        }

        func finish() { end.continuation.finish() }
        func isAtEnd(behind count: Int64) async -> Bool { true }
        func checkpoint(behind count: Int64) async -> LogCheckpoint? { nil }
    }

    package init() {}
    package func follow(_ path: String, from start: LogStart) throws(FailureReport) -> any EngineLogFollower {
        Follower()
    }
}

/// Stands in for /proc/net/tcp.
package final class StandInPortInspector: PortInspector {
    private let found: Mutex<[PortListener]>

    package init(_ listeners: [PortListener] = []) { found = Mutex(listeners) }

    package func set(_ listeners: [PortListener]) { found.withLock { $0 = listeners } }

    package func listeners(onTCPPort port: UInt16) -> [PortListener] { found.withLock { $0 } }

    package func listens(onTCPPort port: UInt16, anyOf pids: [Int32]) -> Bool {
        found.withLock { $0 }.contains { listener in listener.pid.map(pids.contains) ?? false }
    }
}

/// Stands in for the kernel's socket counters where it shows nothing.
package struct BlindTrafficMeter: TrafficMeter {
    package init() {}

    package func traffic(of pids: [Int32], servingPort: UInt16) -> EngineTraffic? { nil }
}

/// A clock that moves a millisecond each time it is read.
package final class SteppingClocks: Clocks {
    private let time = Atomic<Int64>(0)

    package init() {}

    package func now() -> BootInstant {
        BootInstant(nanoseconds: time.add(1_000_000, ordering: .relaxed).newValue)
    }

    package func wallTime() -> Double { 1_763_755_200 }
}

/// No waiting, and identifiers that count.
package final class CountingRandom: RandomSource {
    private let count = Atomic<Int>(0)

    package init() {}

    package func fraction() -> Double { 0 }

    package func identifier() -> String { "id-\(count.add(1, ordering: .relaxed).newValue)" }
}

/// Answers a fixed signature: what is signed is tested with the real signer.
package struct FixedSigner: MessageSigner {
    package init() {}
    package func hmacSHA256(_ message: [UInt8], key: [UInt8]) -> [UInt8] { [1, 2, 3] }
    package func sha256(_ message: [UInt8]) -> [UInt8] { [4, 5, 6] }
}

/// Keeps and announces the lines.
package final class CollectingLog: OperatorLog {
    package let told: AsyncStream<String>
    private let tell: AsyncStream<String>.Continuation
    private let kept = Mutex<[String]>([])

    package init() {
        (told, tell) = AsyncStream.makeStream()
    }

    package var lines: [String] { kept.withLock { $0 } }

    package func write(_ level: OperatorLogLevel, _ line: String) {
        kept.withLock { $0.append(line) }
        tell.yield(line)
    }
}
