internal import AgentCore
internal import CCurl

/// Owns a `CURLM`. Everything but `wake()` is the driver's, on its own thread.
///
/// `@unchecked`: `curl_multi_wakeup` is the one libcurl function that any thread may call at any time, and
/// reference counting keeps the handle alive until the last caller has returned from it.
final class CurlMulti: @unchecked Sendable {
    private let handle: UnsafeMutableRawPointer

    /// Global initialisation costs most of a cold start (OpenSSL), so it waits for the first request.
    private static let globalInit = ccurl_global_init()

    init(settings: CurlSettings) throws(HTTPFailure) {
        guard Self.globalInit == CURLE_OK, let handle = curl_multi_init() else {
            throw HTTPFailure(.other, "libcurl cannot be initialised (out of memory or of file descriptors)")
        }
        self.handle = handle
        ccurl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, settings.maximumIdleConnections)
        ccurl_multi_set_long(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, settings.maximumConnections)
        // libcurl makes the pair behind `curl_multi_wakeup` without SOCK_CLOEXEC (before 8.9).
        CloseOnExec.markSocketsAndAnonymousInodes()
    }

    deinit {
        curl_multi_cleanup(handle)
    }

    func wake() {
        curl_multi_wakeup(handle)
    }

    // MARK: The driver's thread only

    func add(_ easy: CurlEasy) throws(HTTPFailure) {
        try Self.check(curl_multi_add_handle(handle, easy.handle))
    }

    func remove(_ easy: CurlEasy) {
        curl_multi_remove_handle(handle, easy.handle)
    }

    func perform() throws(HTTPFailure) {
        var running: Int32 = 0
        try Self.check(curl_multi_perform(handle, &running))
    }

    /// Sleeps until a socket is ready, a timer of libcurl's is due, or `wake()`; without transfers only the last.
    func wait() throws(HTTPFailure) {
        try Self.check(curl_multi_poll(handle, nil, 0, .max, nil))
    }

    func nextFinished() -> (easy: UnsafeMutableRawPointer, code: CURLcode)? {
        var remaining: Int32 = 0
        while let message = curl_multi_info_read(handle, &remaining) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            return (easy, message.pointee.data.result)
        }
        return nil
    }

    private static func check(_ code: CURLMcode) throws(HTTPFailure) {
        guard code != CURLM_OK else { return }
        throw HTTPFailure(.other, String(cString: curl_multi_strerror(code)))
    }
}
