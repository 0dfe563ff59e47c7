internal import AgentCore
internal import CLinux
internal import Glibc

/// One process, held by a pidfd: a signal sent through it can never reach another process that got the same pid.
final class ProcessHandle: Sendable {
    enum Opening {
        case opened(ProcessHandle)
        /// The process has ended and is reaped, or the pid is somebody else's by now.
        case gone
        /// Out of descriptors or memory; nothing is known about the process.
        case failed(SystemError)
    }

    let pid: Int32
    let descriptor: Descriptor

    private init(pid: Int32, descriptor: Descriptor) {
        self.pid = pid
        self.descriptor = descriptor
    }

    static func open(_ identity: ProcessIdentity) -> Opening {
        switch open(pid: identity.pid) {
        case .opened(let handle):
            // The pidfd first and the start time second: what the pidfd holds can no longer change.
            guard ProcessTable.stat(of: identity.pid)?.startTime == identity.startTime else { return .gone }
            return .opened(handle)
        case .gone: return .gone
        case .failed(let error): return .failed(error)
        }
    }

    /// For a child that is not reaped yet, whose pid therefore cannot be anybody else's.
    static func open(pid: Int32) -> Opening {
        do throws(SystemError) {
            let number = try SystemError.check("pidfd_open") { clinux_pidfd_open(pid) }
            return .opened(ProcessHandle(pid: pid, descriptor: Descriptor(owning: number)))
        } catch {
            return error.code == ESRCH ? .gone : .failed(error)
        }
    }

    /// Every thread of it has ended; it may still wait to be reaped.
    var hasEnded: Bool {
        var query = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        return (try? SystemError.check("poll") { poll(&query, 1, 0) }) == 1
    }

    /// Whether the signal was sent; false too where the process has ended or belongs to another user.
    @discardableResult
    func send(_ signal: Int32) -> Bool {
        clinux_pidfd_send_signal(descriptor.number, signal) == 0
    }

    /// How a child of ours ended; nil while it runs, or when it is no child of ours.
    ///
    /// Without `reap` the pid stays taken: nothing else can get it until the child is reaped.
    func exit(reap: Bool) -> EngineExit? {
        var result = clinux_exit()
        guard clinux_wait(descriptor.number, reap ? 1 : 0, &result) == 1 else { return nil }
        if result.exited != 0 { return .exited(code: result.status) }
        return .signalled(signal: result.status, coreDumped: result.core_dumped != 0)
    }
}
