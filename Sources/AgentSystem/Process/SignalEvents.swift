package import AgentCore
internal import CLinux
internal import Dispatch
internal import Glibc
internal import Locking

/// The agent's signals as events. Signals of one kind that come together are one event, and no kind can crowd out
/// another, however many come.
///
/// To be made before anything else, so that a signal during the start is neither lost nor deadly. Children are not
/// concerned: execve resets what is caught, and the spawn of the engine resets what is ignored.
package enum SignalEvents {
    /// Catches the signals for the rest of the process's life. The stream is for one reader and never ends.
    package static func install() throws(FileFailure) -> AsyncStream<AgentSignal> {
        do throws(SystemError) {
            for signal in AgentSignal.allCases {
                try SystemError.check("sigaction") { clinux_catch_signal(signal.number) }
            }
            // A reader that hung up is an error of that write, not the end of the agent.
            try SystemError.check("sigaction") { clinux_ignore_signal(SIGPIPE) }
        } catch {
            throw error.on("signals")
        }
        return stream(of: wakeups())
    }

    /// One element however often the wake-up descriptor was written since the last one was taken.
    private static func wakeups() -> AsyncStream<Void> {
        let (wakeups, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // The descriptor lives as long as the process: the signal handler writes to it.
        let descriptor = clinux_signal_wakeup()
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global(qos: .userInitiated))
        // libdispatch cancels a source that nobody refers to; this one refers to itself, for ever.
        source.setEventHandler { [source] in
            withExtendedLifetime(source) {
                var count: UInt64 = 0
                _ = read(descriptor, &count, 8)
                continuation.yield()
            }
        }
        source.activate()
        return wakeups
    }

    private static func stream(of wakeups: AsyncStream<Void>) -> AsyncStream<AgentSignal> {
        // The bits wait here and not in a queue: that is what bounds them.
        let pending = PendingSignals()
        return AsyncStream {
            while true {
                if let signal = pending.takeOne() { return signal }
                var iterator = wakeups.makeAsyncIterator()
                if await iterator.next() == nil { return nil }
            }
        }
    }
}

private final class PendingSignals: Sendable {
    private let bits = Mutex<UInt64>(0)

    func takeOne() -> AgentSignal? {
        bits.withLock { bits in
            bits |= clinux_take_signals()
            let signal = AgentSignal.allCases.first { bits & (1 << UInt64($0.number)) != 0 }
            if let signal { bits &= ~(1 << UInt64(signal.number)) }
            return signal
        }
    }
}
