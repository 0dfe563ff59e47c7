internal import CTLS
internal import NIOCore

/// One TLS connection in memory: bytes of the wire go in and come out, and no socket is touched. Owns an `SSL`.
final class TLSSession {
    enum Reading: Equatable {
        /// Some plaintext was appended.
        case bytes
        /// More of the wire is needed first.
        case nothingYet
        /// The client has said that it will send no more.
        case end
        /// No handshake came about, or what came was tampered with. Only `takeOutput` is of use now.
        case failure
    }

    private let pointer: OpaquePointer
    /// From the client and to it. Owned by the `SSL`.
    private let incoming = BIO_new(BIO_s_mem())
    private let outgoing = BIO_new(BIO_s_mem())
    private var isUsable = true

    /// Takes the `SSL` over.
    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        SSL_set_bio(pointer, incoming, outgoing)
        SSL_set_accept_state(pointer)
    }

    deinit {
        SSL_free(pointer)
    }

    /// Kept until it is read.
    func receive(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            _ = BIO_write(incoming, bytes.baseAddress, Int32(bytes.count))
        }
    }

    /// Goes on with the handshake, where there is one to finish, and then reads.
    func read(into plaintext: inout ByteBuffer, atMost limit: Int) -> Reading {
        guard isUsable else { return .failure }
        ERR_clear_error()
        var code: Int32 = 0
        plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: limit) { bytes in
            code = SSL_read(pointer, bytes.baseAddress, Int32(limit))
            return Int(max(code, 0))
        }
        guard code <= 0 else { return .bytes }
        switch SSL_get_error(pointer, code) {
        case SSL_ERROR_WANT_READ: return .nothingYet
        case SSL_ERROR_ZERO_RETURN: return .end
        default:
            isUsable = false
            return .failure
        }
    }

    /// False where nothing can be sent any more.
    func write(_ plaintext: ByteBuffer) -> Bool {
        guard isUsable, plaintext.readableBytes > 0 else { return isUsable }
        ERR_clear_error()
        // Into memory, so all of it or nothing.
        let code = plaintext.withUnsafeReadableBytes { SSL_write(pointer, $0.baseAddress, Int32($0.count)) }
        isUsable = code == Int32(plaintext.readableBytes)
        return isUsable
    }

    /// Tells the client that this was all, once.
    func sayEnd() {
        guard isUsable, SSL_is_init_finished(pointer) == 1, SSL_get_shutdown(pointer) & SSL_SENT_SHUTDOWN == 0 else {
            return
        }
        ERR_clear_error()
        _ = SSL_shutdown(pointer)
    }

    /// What is to be sent; nil where there is nothing.
    func takeOutput(_ allocator: ByteBufferAllocator) -> ByteBuffer? {
        let count = BIO_ctrl_pending(outgoing)
        guard count > 0 else { return nil }
        var buffer = allocator.buffer(capacity: count)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            Int(max(BIO_read(outgoing, bytes.baseAddress, Int32(count)), 0))
        }
        return buffer
    }
}

@available(*, unavailable)
extension TLSSession: Sendable {}
