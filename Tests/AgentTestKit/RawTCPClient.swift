internal import Glibc
internal import Locking

/// A TCP client that says exactly the bytes it is told, and reads only when asked.
package final class RawTCPClient: Sendable {
    /// Far beyond anything a test waits for.
    private static let patienceSeconds = 20

    private let descriptor: Int32
    private let unread = Mutex<[UInt8]>([])
    private let reset = Mutex(false)

    /// nil when nobody listens.
    package init?(port: UInt16) {
        guard let descriptor = LoopbackSocket.connect(port: port) else { return nil }
        self.descriptor = descriptor
        LoopbackSocket.setReadTimeout(seconds: Self.patienceSeconds, on: descriptor)
    }

    deinit {
        close(descriptor)
    }

    /// Whether reading ended with a reset, after which a client may lose what it has not read.
    package var wasReset: Bool { reset.withLock { $0 } }

    /// Says that nothing more will be sent.
    package func finishSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Blocks when the server does not read; for a few kilobytes.
    package func send(_ text: String) {
        _ = LoopbackSocket.write(Array(text.utf8), to: descriptor)
    }

    package func send(_ bytes: [UInt8]) {
        _ = LoopbackSocket.write(bytes, to: descriptor)
    }

    /// Sends for as long as the server takes it; returns at once.
    package func sendInBackground(_ text: String) {
        KitThread.start { self.send(text) }
    }

    /// The next answers, each with its body; fewer at the end of the stream.
    package func readAnswers(_ count: Int) async -> [String] {
        await blocking { self.takeAnswers(count) }
    }

    /// One head without a body, as after HEAD.
    package func readHead() async -> String {
        await blocking {
            while true {
                let head = self.unread.withLock { unread -> [UInt8]? in
                    guard let length = HTTPText.headLength(in: unread) else { return nil }
                    defer { unread.removeFirst(length) }
                    return Array(unread.prefix(length))
                }
                if let head { return String(decoding: head, as: UTF8.self) }
                guard self.readMore() else { return "" }
            }
        }
    }

    /// Everything until the server closes or resets.
    package func readToEnd() async -> String {
        await blocking {
            while self.readMore() {}
            return String(decoding: self.unread.withLock { $0 }, as: UTF8.self)
        }
    }

    /// Suspends until the server has closed or reset the connection, without reading.
    package func isHungUp() async -> Bool {
        await blocking { LoopbackSocket.isHungUp(self.descriptor, within: Int32(Self.patienceSeconds * 1000)) }
    }

    /// The text again and again at that pace, until the server is gone.
    package func drip(_ text: String, everyMilliseconds pace: Int32) async {
        await blocking {
            while !LoopbackSocket.isHungUp(self.descriptor, within: pace) { self.send(text) }
        }
    }

    private func takeAnswers(_ count: Int) -> [String] {
        var answers: [String] = []
        while answers.count < count {
            let answer = unread.withLock { unread -> [UInt8]? in
                guard let length = HTTPText.requestLength(in: unread), unread.count >= length else { return nil }
                defer { unread.removeFirst(length) }
                return Array(unread.prefix(length))
            }
            if let answer {
                answers.append(String(decoding: answer, as: UTF8.self))
            } else if !readMore() {
                break
            }
        }
        return answers
    }

    private func readMore() -> Bool {
        guard let bytes = LoopbackSocket.read(descriptor) else {
            if errno == ECONNRESET { reset.withLock { $0 = true } }
            return false
        }
        unread.withLock { $0 += bytes }
        return true
    }

    private func blocking<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            KitThread.start { continuation.resume(returning: body()) }
        }
    }
}
