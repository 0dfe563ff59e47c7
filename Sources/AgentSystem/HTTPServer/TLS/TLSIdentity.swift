internal import Glibc
internal import NIOCore

/// What the server shows now: files that change are read again, so that a renewed certificate needs no restart. Used on
/// the event loop only.
final class TLSIdentity {
    /// Of both files: which, how long, and when written.
    private struct Version: Equatable {
        var parts: [Int]
    }

    /// Between two looks at the files, which come with connections.
    private static let interval = TimeAmount.seconds(1)

    private let files: TLSFiles
    private let complain: @Sendable (String) -> Void
    private var context: TLSContext?
    private var version: Version?
    /// Could not be loaded. A renewal writes two files: only what is still so at the next look is worth a word.
    private var refused: (version: Version, wasTold: Bool)?
    private var lookAgainAt = NIODeadline.now()

    /// `complain` is called once for each content that cannot be used, with what to do.
    init(_ files: TLSFiles, complain: @escaping @Sendable (String) -> Void) {
        self.files = files
        self.complain = complain
        look()
    }

    /// nil while there is no certificate to be had.
    func makeSession() -> TLSSession? {
        if lookAgainAt <= .now() { look() }
        return context?.makeSession()
    }

    private func look() {
        lookAgainAt = .now() + Self.interval
        let found = Version(parts: Self.traits(files.certificate) + Self.traits(files.key))
        guard found != version else { return }
        do throws(TLSFailure) {
            context = try TLSContext(files)
            version = found
            refused = nil
        } catch {
            note(error, of: found)
        }
    }

    private func note(_ failure: TLSFailure, of found: Version) {
        let isSame = refused?.version == found
        guard context == nil || isSame else { return refused = (found, false) }
        if !(isSame && refused?.wasTold == true) {
            let meanwhile = context == nil ? "nobody can connect until then" : "the one before stays in use until then"
            complain("the heartbeat's certificate cannot be used: \(failure.message); \(meanwhile)")
        }
        refused = (found, true)
    }

    private static func traits(_ path: String) -> [Int] {
        var entry = stat()
        guard stat(path, &entry) == 0 else { return [0] }
        return [Int(entry.st_ino), Int(entry.st_size), entry.st_mtim.tv_sec, entry.st_mtim.tv_nsec]
    }
}

@available(*, unavailable)
extension TLSIdentity: Sendable {}
