internal import Glibc

/// A detached thread that takes no signals: those belong to whoever waits for them, and SIGPIPE, which OpenSSL's
/// writes can raise, must stay a plain EPIPE.
enum DetachedThread {
    private final class Body {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }

    /// Returns 0, or the error number of `pthread_create`.
    static func start(_ run: @escaping @Sendable () -> Void) -> Int32 {
        var everySignal = sigset_t()
        var formerMask = sigset_t()
        sigfillset(&everySignal)
        // A new thread inherits the mask, so there is no moment in which it could be chosen for a signal.
        pthread_sigmask(SIG_SETMASK, &everySignal, &formerMask)
        defer { pthread_sigmask(SIG_SETMASK, &formerMask, nil) }

        let body = Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let errorNumber = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        guard errorNumber == 0 else {
            body.release()
            return errorNumber
        }
        pthread_detach(thread)
        return 0
    }
}
