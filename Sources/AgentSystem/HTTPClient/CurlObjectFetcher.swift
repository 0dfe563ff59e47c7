package import AgentCore
internal import Glibc
internal import Locking

/// Downloads into files. The client is its own: its thread waits for disks, and nothing else may wait for those.
package final class CurlObjectFetcher: ObjectFetcher {
    private let client: CurlHTTPClient

    package init(settings: CurlSettings, clocks: any Clocks) {
        var settings = settings
        // Kept between parts: a handshake for each would cost more than the part.
        settings.maximumIdleConnections = settings.maximumConnections
        client = CurlHTTPClient(settings: settings, clocks: clocks)
    }

    package func fetch(
        _ request: HTTPRequest, into path: String, at offset: UInt64, arrived: @escaping @Sendable (Int) -> Void
    ) async throws(FetchFailure) -> HTTPResponse {
        let sink: FileSink
        do throws(SystemError) {
            let file = try Descriptor.open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK)
            sink = FileSink(file, at: offset, arrived: arrived)
        } catch {
            throw .disk(error.on(path))
        }
        let answer: Result<HTTPResponse, HTTPFailure>
        do throws(HTTPFailure) {
            answer = .success(try await client.send(request, into: sink))
        } catch {
            answer = .failure(error)
        }
        if let failure = sink.close() { throw .disk(failure.on(path)) }
        do {
            return try answer.get()
        } catch {
            throw .network(error)
        }
    }

    package func close() async { await client.close() }
}

/// Writes what comes behind each other from an offset on, until it is closed.
private final class FileSink: CurlSink {
    private struct State {
        /// nil once nothing may be written any more: a transfer that was cancelled can still bring bytes.
        var file: Descriptor?
        var offset: UInt64
        var failure: SystemError?
    }

    private let state: Mutex<State>
    private let arrived: @Sendable (Int) -> Void

    init(_ file: Descriptor, at offset: UInt64, arrived: @escaping @Sendable (Int) -> Void) {
        state = Mutex(State(file: file, offset: offset))
        self.arrived = arrived
    }

    // The write is under the lock on purpose: closing has to wait for it, and nobody else ever does.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = bytes.count
        let isWritten = state.withLock { state in
            guard let file = state.file else { return false }
            do throws(SystemError) {
                try file.write(bytes, at: state.offset)
                state.offset += UInt64(count)
                return true
            } catch {
                state.failure = error
                return false
            }
        }
        if isWritten { arrived(count) }
        return isWritten
    }

    /// Why a write failed, where one did.
    func close() -> SystemError? {
        state.withLock { state in
            state.file = nil
            return state.failure
        }
    }
}
