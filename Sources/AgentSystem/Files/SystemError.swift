internal import AgentCore
internal import Glibc

/// A system call that failed.
struct SystemError: Error, Equatable, Sendable {
    var operation: String
    var code: Int32

    var reason: String { String(cString: strerror(code)) }

    func on(_ path: String) -> FileFailure {
        FileFailure(operation: operation, path: path, errno: code, reason: reason)
    }

    /// Runs a call that answers -1 on failure, again when a signal interrupted it.
    @discardableResult
    static func check<Result: SignedInteger>(
        _ operation: String, _ call: () -> Result
    ) throws(SystemError) -> Result {
        while true {
            let result = call()
            if result != -1 { return result }
            let code = errno
            if code != EINTR { throw SystemError(operation: operation, code: code) }
        }
    }
}
