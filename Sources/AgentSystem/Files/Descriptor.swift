internal import Glibc

/// Owns one open descriptor and closes it when the last reference goes.
final class Descriptor: Sendable {
    let number: Int32

    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        // EINTR from close leaves the descriptor closed on Linux; trying again could close somebody else's.
        _ = close(number)
    }

    /// `open(2)`, close-on-exec, not interrupted by signals.
    static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws(SystemError) -> Descriptor {
        Descriptor(owning: try SystemError.check("open") { Glibc.open(path, flags | O_CLOEXEC, mode) })
    }

    func status() throws(SystemError) -> stat {
        var status = stat()
        try SystemError.check("fstat") { fstat(number, &status) }
        return status
    }

    /// Bytes from `offset`, at most `limit` of them; empty at the end of the file.
    func read(upTo limit: Int, at offset: Int64) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            do throws(SystemError) {
                count = Int(try SystemError.check("read") { pread(number, buffer.baseAddress, limit, off_t(offset)) })
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// How many bytes from `offset` on are in the buffer now; 0 at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
        Int(try SystemError.check("read") { pread(number, buffer.baseAddress, buffer.count, off_t(offset)) })
    }

    /// Writes everything, however many calls that takes.
    func write(_ bytes: [UInt8]) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            written += try SystemError.check("write") {
                bytes[written...].withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
            }
        }
    }

    /// Writes everything from `offset` on.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            written += try SystemError.check("write") {
                pwrite(number, bytes.baseAddress?.advanced(by: written), bytes.count - written, off_t(offset) + written)
            }
        }
    }

    /// The same file under a number of 3 or more. An agent started with a standard stream closed gets numbers below,
    /// and those are overwritten in the child before they are used.
    func aboveStandardStreams() throws(SystemError) -> Descriptor {
        if number > 2 { return self }
        return Descriptor(owning: try SystemError.check("fcntl") { fcntl(number, F_DUPFD_CLOEXEC, 3) })
    }

    func sync() throws(SystemError) {
        try SystemError.check("fsync") { fsync(number) }
    }
}
