internal import FoundationEssentials
internal import Glibc

/// The folder everything is kept in, readable by its owner alone and held by one server at a time.
///
/// One server, because a waiting poll is woken inside the process that made the change.
final class DataDirectory: Sendable {
    let databasePath: String
    private let lock: CInt

    /// - Throws: `StoreFailure` when the folder cannot be made or another server holds it.
    init(_ path: String) throws(StoreFailure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StoreFailure(message: "\(path): cannot be created; is the parent folder writable?")
        }
        databasePath = path + "/control-plane.sqlite"
        let lock = try Self.open(path + "/lock")
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(lock)
            throw StoreFailure(message: "\(path): another control plane already runs on this data folder")
        }
        self.lock = lock
        // SQLite gives its -wal and -shm files the permissions of the database, so that must exist privately first.
        do {
            Glibc.close(try Self.open(databasePath))
        } catch {
            Glibc.close(lock)
            throw error
        }
    }

    deinit {
        Glibc.close(lock)
    }

    private static func open(_ path: String) throws(StoreFailure) -> CInt {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw StoreFailure(message: "\(path): cannot be opened for writing: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }
}
