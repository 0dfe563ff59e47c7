#if THREAD_SANITIZER
    internal import Glibc

    private final class MutexStorage<Value>: @unchecked Sendable {
        var value: Value
        private let lock: UnsafeMutablePointer<pthread_mutex_t>

        init(_ value: sending Value) {
            self.value = value
            lock = .allocate(capacity: 1)
            pthread_mutex_init(lock, nil)
        }

        deinit {
            pthread_mutex_destroy(lock)
            lock.deallocate()
        }

        func acquire() { pthread_mutex_lock(lock) }
        func release() { pthread_mutex_unlock(lock) }
    }

    /// The lock of the thread sanitizer's runs, with the interface of `Synchronization.Mutex`.
    ///
    /// The sanitizer does not see the futex inside `Synchronization.Mutex` (Swift 6.3, Linux) and reports races in
    /// correct programs; it knows pthread's mutex. Unchecked, because the lock is what makes it so.
    package struct Mutex<Value>: @unchecked Sendable {
        private let storage: MutexStorage<Value>

        package init(_ value: sending Value) {
            storage = MutexStorage(value)
        }

        package func withLock<Result, Failure: Error>(
            _ body: (inout sending Value) throws(Failure) -> sending Result
        ) throws(Failure) -> sending Result {
            storage.acquire()
            defer { storage.release() }
            return try body(&storage.value)
        }
    }
#else
    internal import Synchronization

    /// `Synchronization.Mutex` by a name that a thread sanitizer's run can give another meaning.
    package struct Mutex<Value>: ~Copyable, Sendable {
        private let mutex: Synchronization.Mutex<Value>

        package init(_ value: sending Value) {
            mutex = Synchronization.Mutex(value)
        }

        package func withLock<Result, Failure: Error>(
            _ body: (inout sending Value) throws(Failure) -> sending Result
        ) throws(Failure) -> sending Result {
            try mutex.withLock(body)
        }
    }
#endif
