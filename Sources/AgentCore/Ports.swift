// Every door to the outside world, on one screen. AgentSystem implements them; tests bring stand-ins.

/// Starts the engine, tells its life, and can end it.
package protocol EngineHost: Sendable {
    /// Executes the engine, or makes the one that waits serve where it fits. The stream tells its whole life and ends after `gone` or `startFailed`.
    func run(_ launch: EngineLaunch) -> AsyncStream<EngineHostEvent>
    /// Of the engine that waits; nil where none does, and where a host needs no places.
    var placeOfWaiting: EnginePlace? { get }
    /// Executes an engine that imports and then waits, for `run` to tell it what to serve. At most one: nothing happens
    /// where there is one, or no place for it. Returns once it is executed.
    func park(_ launch: EngineLaunch) async
    /// Ends the engine that waits, if there is one; returns once nothing is left of it.
    func unpark() async
    /// SIGTERM to the main process only: workers that get it drop what they are doing.
    func terminateMain()
    /// SIGKILL to every process of the engine, again and again until none is left; then `gone` follows.
    func killAll()
    /// The engine's processes right now, none when none is left. Each is watched from then on: its end is told as
    /// `EngineHostEvent.processEnded`.
    func observe() -> [EngineProcess]
    /// The engine an earlier agent has started since `limit`, where this host's engines outlive their agents; it may
    /// have ended meanwhile. nil when there is no such engine.
    func adopt(startedAfter limit: BootInstant) async -> AdoptedEngine?
    /// What the service manager calls the execution that runs; nil where there is none, or no such name.
    var execution: String? { get }
    /// Ends whatever an earlier agent left behind. Returns the pids that were killed, once they are gone.
    func removeLeftovers() async -> [Int32]
}

/// Follows the engine's log.
package protocol EngineLogSource: Sendable {
    /// Opens the log; what comes behind `start` is there to be read.
    /// Throws where the path is not a regular file (directory, FIFO, and a link unless the source accepts links).
    ///
    /// From a checkpoint: the file it names is looked for at the path and in its folder, whatever its name is by now,
    /// and read to its end before the one at the path. Where it is gone, the one at the path is read from its first
    /// byte. Files that took the name and lost it again in the meantime are not found.
    func follow(_ path: String, from start: LogStart) throws(FailureReport) -> any EngineLogFollower
}

extension EngineLogSource {
    /// At its end as it is now.
    package func follow(_ path: String) throws(FailureReport) -> any EngineLogFollower {
        try follow(path, from: .end)
    }
}

/// One log being followed. The reader pulls, so that a flood waits in the file and not in memory.
package protocol EngineLogFollower: Sendable {
    /// Bytes from before the checkpoint, to rebuild what a reader of them knew; nil when there are no more. At most
    /// the first and the last megabytes, however much lies between.
    func replay() async -> [UInt8]?
    /// The next bytes, at most 64 KiB. Suspends until there are some; nil when the task is cancelled, and at the
    /// end of the file once `finish` was called. A line that is unfinished where its file ends is ended.
    func next() async -> [UInt8]?
    /// What is in the file now is still read; nothing later is waited for.
    func finish()
    /// Whether the first `count` of all bytes that `next` has given out are all that there is by now.
    func isAtEnd(behind count: Int64) async -> Bool
    /// The checkpoint behind the first `count` of all bytes that `next` has given out. nil where that place is in a
    /// file that is no longer followed: then the checkpoint before still holds.
    func checkpoint(behind count: Int64) async -> LogCheckpoint?
}

/// HTTP out: control plane, engine, cloud metadata.
package protocol HTTPClient: Sendable {
    func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse
}

/// Objects of a store straight into files: their bytes are in memory only on their way.
package protocol ObjectFetcher: Sendable {
    /// Writes the body of a 2xx into the file at `path`, which is there, from `offset` on, and tells each arrival of so
    /// many bytes. The body of any other answer is in the response. Nothing is written any more once this has returned.
    func fetch(
        _ request: HTTPRequest, into path: String, at offset: UInt64, arrived: @escaping @Sendable (Int) -> Void
    ) async throws(FetchFailure) -> HTTPResponse
}

/// Downloaded models on a disk; others may read them. Every call blocks for as long as the disk does.
package protocol ModelStorage: Sendable {
    /// Bytes of each regular file below a folder, by relative path; hidden ones are left out. Empty without a folder.
    func sizes(below folder: String) throws(FileFailure) -> [String: UInt64]
    /// With its parents.
    func makeFolder(_ folder: String) throws(FileFailure)
    /// A file of this length, all of it a hole, in place of whatever stood there.
    func begin(_ path: String, bytes: UInt64) throws(FileFailure)
    /// The first bytes, at most `count`.
    func head(of path: String, count: Int) throws(FileFailure) -> [UInt8]
    /// In lower-case hexadecimal; nil where this machine's policy forbids MD5.
    func md5(of path: String) throws(FileFailure) -> String?
    /// Synced, readable for everyone, and under its final name.
    func finish(_ path: String, as name: String) throws(FileFailure)
    /// A folder and everything in it; links are removed and not followed.
    func removeFolder(_ folder: String) throws(FileFailure)
}

package enum FetchFailure: Error, Equatable, Sendable {
    case network(HTTPFailure)
    case disk(FileFailure)
}

/// Small files of the agent's own.
package protocol FileStore: Sendable {
    /// nil when there is no such file. Never reads more than `limit` bytes.
    func read(_ path: String, limit: Int) throws(FileFailure) -> [UInt8]?
    /// Either the whole new content is there, synced, or the old one is; parents are created (0700).
    func writeAtomically(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure)
    /// The same without the sync: for files that mean nothing after a reboot.
    func writeForThisBoot(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure)
    /// No error when it is already gone.
    func remove(_ path: String) throws(FileFailure)
    /// Needs no room on the disk, and works for files that cannot be read. Parents are created (0700); a file in the
    /// way is replaced.
    func move(_ path: String, to newPath: String) throws(FileFailure)
    /// Names in a folder, sorted; empty when there is no such folder.
    func list(_ folder: String) throws(FileFailure) -> [String]
    /// Whether the path, links resolved, is a regular file this process may execute.
    func isExecutable(_ path: String) -> Bool
    /// What may still be written below this folder, in bytes; asks the nearest parent of one that is not there yet. nil
    /// where the kernel does not tell.
    func freeBytes(below folder: String) -> UInt64?
}

/// The service manager: readiness, status line, watchdog.
package protocol ServiceManager: Sendable {
    /// Newline-separated assignments, such as `READY=1\nSTATUS=serving`.
    func notify(_ state: String)
    /// Whether the model serves from now on, for those who wait for that.
    func serving(_ isServing: Bool)
}

/// What the GPUs hold.
package protocol GPUMeter: Sendable {
    /// Asks the driver, which can take seconds and may never answer: then `failed`, in bounded time. Ends early, with
    /// `failed`, when the task is cancelled.
    func look() async -> GPULook
}

/// Who listens on a TCP port of this machine.
package protocol PortInspector: Sendable {
    func listeners(onTCPPort port: UInt16) -> [PortListener]
    /// Whether one of these processes listens there; looks at them alone, however many others there are.
    func listens(onTCPPort port: UInt16, anyOf pids: [Int32]) -> Bool
}

/// What the engine's connections bring, for progress and for telling slow from stalled.
package protocol TrafficMeter: Sendable {
    /// Traffic of these processes' connections to elsewhere; nil where the kernel does not let us see it.
    func traffic(of pids: [Int32], servingPort: UInt16) -> EngineTraffic?
}

package struct PortListener: Equatable, Sendable {
    /// nil where the kernel does not let us see the owner.
    package var pid: Int32?
    package var command: String?

    package init(pid: Int32?, command: String?) {
        self.pid = pid
        self.command = command
    }
}

/// The boot clock and the wall clock. Delays are made by the runtime's timers, not here.
package protocol Clocks: Sendable {
    func now() -> BootInstant
    /// Seconds since 1970 (UTC).
    func wallTime() -> Double
}

package protocol RandomSource: Sendable {
    /// Uniform in 0..<1.
    func fraction() -> Double
    /// 32 lower-case hexadecimal digits, for identifiers.
    func identifier() -> String
}

/// SHA-256, for signed callbacks and for requests to the object store.
package protocol MessageSigner: Sendable {
    func hmacSHA256(_ message: [UInt8], key: [UInt8]) -> [UInt8]
    func sha256(_ message: [UInt8]) -> [UInt8]
}

/// Lines for operators. Text is chosen in one place (`AgentRuntime`), never in logic.
package protocol OperatorLog: Sendable {
    func write(_ level: OperatorLogLevel, _ line: String)
    func write(_ entry: OperatorLogEntry)
}

extension OperatorLog {
    /// Where there are no fields, the text has to do.
    package func write(_ entry: OperatorLogEntry) { write(entry.level, entry.text) }
}

/// A line with what a journal can be searched by.
package struct OperatorLogEntry: Equatable, Sendable {
    package struct Field: Equatable, Sendable {
        /// Of A–Z, 0–9 and `_`, not beginning with `_`; at most 64 bytes.
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package var level: OperatorLogLevel
    package var text: String
    /// 32 hexadecimal digits, the key of the message's entry in the catalog.
    package var messageID: String
    package var fields: [Field]

    package init(_ level: OperatorLogLevel, _ text: String, messageID: String, fields: [Field]) {
        self.level = level
        self.text = text
        self.messageID = messageID
        self.fields = fields
    }
}

package enum OperatorLogLevel: Int, Sendable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7
}

/// Takes the engine's caches out of its folder and puts carried ones in, with the rights of the engine's own user.
package protocol CacheCarrier: Sendable {
    /// Where `pack` leaves its work: `index` and `part-00000` and on.
    var outgoing: String { get }
    /// Where `unpack` finds the same. The agent writes there, nobody else.
    var incoming: String { get }
    /// Makes the folder that `unpack` reads from, empty, for the agent to fill and for the engine's user to read.
    func prepareIncoming() async throws(FileFailure)
    /// What the running engine has written, or all where it has written nothing. Gives up waiting when the task is
    /// cancelled; what has begun goes on.
    func pack() async throws(FileFailure)
    /// Files that are there already stay as they are.
    func unpack() async throws(FileFailure)
    /// Removes what `pack` has left.
    func clean() async
}

/// Remembers which parts of the engine's program files its start needed, for the next boot.
package protocol ReadAheadRecorder: Sendable {
    /// Returns when that is done, or when the task is cancelled.
    func record(engine executable: String) async
}
