internal import Glibc
internal import Locking

/// A loopback TCP server that does to its clients what a script says, each connection on a thread of its own.
package final class MisbehavingHTTPServer: Sendable {
    package enum Step: Sendable {
        /// Reads one request, with its body where it says Content-Length. The script ends if the client goes away.
        case readRequest
        case send([UInt8])
        /// The same bytes again and again until the client goes away.
        case flood([UInt8])
        /// One byte every 10 ms until the client goes away.
        case drip
        /// Nothing, until the client goes away.
        case hold
        /// Waits for `release()`, or for the client to go away.
        case waitForRelease
        case reset
        /// From the first step again: keep-alive.
        case startOver

        package static func send(_ text: String) -> Step { .send(Array(text.utf8)) }
    }

    package enum Fact: Equatable, Sendable {
        case connected(connection: Int)
        case requestRead(connection: Int)
        /// The script is over or the client is gone; the server has closed its end.
        case ended(connection: Int)
    }

    private struct State {
        var connections = 0
        var requests: [[UInt8]] = []
        var open: Set<Int32> = []
        /// The accepting thread and one for each connection.
        var threads = 1
        var isStopped = false
    }

    package let port: UInt16
    /// What happened, in order, until `stop()` has closed the last descriptor. For one consumer.
    package let facts: AsyncStream<Fact>

    private let listener: Int32
    private let script: @Sendable (_ connection: Int) -> [Step]
    private let report: AsyncStream<Fact>.Continuation
    private let state = Mutex(State())
    private let gate: (read: Int32, write: Int32)

    /// `script` is asked once for each connection, numbered from 0.
    package init(script: @escaping @Sendable (_ connection: Int) -> [Step]) {
        guard let (listener, port) = LoopbackSocket.listen() else { preconditionFailure("no loopback port") }
        self.listener = listener
        self.port = port
        self.script = script
        (facts, report) = AsyncStream.makeStream()
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0, "no pipe")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        gate = (ends[0], ends[1])
        KitThread.start { self.acceptAll() }
    }

    package convenience init(_ steps: Step...) {
        self.init { _ in steps }
    }

    package var url: String { "http://127.0.0.1:\(port)/" }
    package var connectionCount: Int { state.withLock { $0.connections } }
    /// Connections that neither end has closed yet, as far as the server has noticed.
    package var openConnections: Int { state.withLock { $0.open.count } }
    /// Heads and bodies as they came.
    package var requests: [String] { state.withLock { $0.requests }.map { String(decoding: $0, as: UTF8.self) } }

    /// Lets every connection past `waitForRelease`, now and later.
    package func release() {
        _ = write(gate.write, "!", 1)
    }

    /// Ends every connection and refuses new ones. Must be called: the accepting thread keeps the server alive.
    package func stop() {
        let isFirst = state.withLock { state -> Bool in
            guard !state.isStopped else { return false }
            state.isStopped = true
            // Under the lock: a connection leaves the set before its number can be somebody else's.
            for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
            return true
        }
        guard isFirst else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        release()
    }

    /// Suspends until the fact is reported; false when the server stopped without it. Takes what came before it.
    package func reaches(_ fact: Fact) async -> Bool {
        await facts.contains(fact)
    }

    deinit {
        close(gate.read)
        close(gate.write)
    }

    // MARK: Threads

    private func acceptAll() {
        while let descriptor = LoopbackSocket.accept(from: listener) {
            let connection = state.withLock { state -> Int in
                defer { state.connections += 1 }
                state.open.insert(descriptor)
                state.threads += 1
                if state.isStopped { shutdown(descriptor, Int32(SHUT_RDWR)) }
                return state.connections
            }
            report.yield(.connected(connection: connection))
            KitThread.start { self.serve(descriptor, connection) }
        }
        close(listener)
        threadEnds()
    }

    /// The last thread ends the facts, so that "all facts" is a fact to wait for: nothing is open any more.
    private func threadEnds() {
        let left = state.withLock { state -> Int in
            state.threads -= 1
            return state.threads
        }
        if left == 0 { report.finish() }
    }

    private func serve(_ descriptor: Int32, _ connection: Int) {
        let steps = script(connection)
        var input: [UInt8] = []
        var next = 0
        while next < steps.count {
            if case .startOver = steps[next] {
                next = 0
                continue
            }
            guard perform(steps[next], descriptor, connection, &input) else { break }
            next += 1
        }
        // Out of the set first: the number may belong to somebody else as soon as it is closed.
        _ = state.withLock { $0.open.remove(descriptor) }
        if next < steps.count, case .reset = steps[next] {
            LoopbackSocket.reset(descriptor)
        } else {
            close(descriptor)
        }
        report.yield(.ended(connection: connection))
        threadEnds()
    }

    /// False when the script cannot go on.
    private func perform(_ step: Step, _ descriptor: Int32, _ connection: Int, _ input: inout [UInt8]) -> Bool {
        switch step {
        case .readRequest:
            guard let request = readRequest(descriptor, &input) else { return false }
            state.withLock { $0.requests.append(request) }
            report.yield(.requestRead(connection: connection))
            return true
        case .send(let bytes):
            return LoopbackSocket.write(bytes, to: descriptor)
        case .flood(let bytes):
            while LoopbackSocket.write(bytes, to: descriptor) {}
            return false
        case .drip:
            while !LoopbackSocket.isHungUp(descriptor, within: 10), LoopbackSocket.write([0x2e], to: descriptor) {}
            return false
        case .hold:
            return !LoopbackSocket.isHungUp(descriptor, within: -1)
        case .waitForRelease:
            return waitForRelease(descriptor)
        case .reset, .startOver:
            return false
        }
    }

    private func waitForRelease(_ descriptor: Int32) -> Bool {
        var entries = [
            pollfd(fd: gate.read, events: Int16(POLLIN), revents: 0), pollfd(fd: descriptor, events: 0, revents: 0),
        ]
        return poll(&entries, 2, -1) > 0 && entries[0].revents != 0
    }

    private func readRequest(_ descriptor: Int32, _ input: inout [UInt8]) -> [UInt8]? {
        while true {
            if let length = HTTPText.requestLength(in: input), input.count >= length {
                defer { input.removeFirst(length) }
                return Array(input.prefix(length))
            }
            guard let more = LoopbackSocket.read(descriptor) else { return nil }
            input += more
        }
    }
}
