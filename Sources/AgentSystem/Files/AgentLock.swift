package import AgentCore
internal import Glibc

/// Held by the one agent of a machine for as long as it lives. The kernel lets go of it however the agent ends.
///
/// The file stays when the lock goes: removing it would let two agents lock two files of one name.
package final class AgentLock: Sendable {
    package enum Refusal: Error, Equatable, Sendable {
        /// Another agent has it. The pid is nil where that agent has not written it yet.
        case held(by: Int32?)
        case failed(FileFailure)
    }

    private let file: Descriptor

    private init(file: Descriptor) {
        self.file = file
    }

    deinit {
        // Closing alone is not enough while a child is between fork and exec: it holds the file too until then.
        flock(file.number, LOCK_UN)
    }

    /// Takes the lock at once or says who has it.
    package static func acquire(_ path: String) throws(Refusal) -> AgentLock {
        let file: Descriptor
        do throws(SystemError) {
            file = try Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: 0o600)
            try SystemError.check("flock") { flock(file.number, LOCK_EX | LOCK_NB) }
        } catch {
            guard error.operation == "flock", error.code == EWOULDBLOCK else { throw .failed(error.on(path)) }
            throw .held(by: holder(path))
        }
        // The pid is a courtesy to whoever is refused; a full disk must not keep the agent from starting.
        if ftruncate(file.number, 0) == 0 {
            try? file.write(Array("\(getpid())\n".utf8))
        }
        return AgentLock(file: file)
    }

    private static func holder(_ path: String) -> Int32? {
        let bytes = (try? LinuxFileStore().read(path, limit: 32)) ?? []
        return Int32(String(decoding: bytes, as: UTF8.self).prefix { $0 != "\n" })
    }
}
