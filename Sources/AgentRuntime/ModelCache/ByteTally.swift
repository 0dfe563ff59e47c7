internal import Locking

/// Bytes of one request, passed on as they come and taken back as a whole when they were for nothing.
final class ByteTally: Sendable {
    private let count = Mutex(0)
    private let passOn: @Sendable (Int) -> Void

    init(_ passOn: @escaping @Sendable (Int) -> Void = { _ in }) {
        self.passOn = passOn
    }

    var total: Int { count.withLock { $0 } }

    func add(_ bytes: Int) {
        count.withLock { $0 += bytes }
        passOn(bytes)
    }

    func takeBack() { add(-total) }
}
