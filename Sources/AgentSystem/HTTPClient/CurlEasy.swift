internal import AgentCore
internal import CCurl

/// Owns a `CURL` and the memory its options point into.
final class CurlEasy {
    let handle: UnsafeMutableRawPointer
    private var headers: UnsafeMutablePointer<curl_slist>?
    private let errorText = UnsafeMutableBufferPointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    init() throws(HTTPFailure) {
        guard let handle = curl_easy_init() else { throw HTTPFailure(.other, "out of memory") }
        self.handle = handle
        errorText.initialize(repeating: 0)
        try check(ccurl_easy_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText.baseAddress))
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headers)
        errorText.deallocate()
    }

    func set(_ option: CURLoption, _ value: Int) throws(HTTPFailure) {
        try check(ccurl_easy_set_long(handle, option, value))
    }

    func set(_ option: CURLoption, offset value: Int) throws(HTTPFailure) {
        try check(ccurl_easy_set_offset(handle, option, curl_off_t(value)))
    }

    /// libcurl copies the text. nil resets the option.
    func set(_ option: CURLoption, _ text: String?) throws(HTTPFailure) {
        try check(ccurl_easy_set_string(handle, option, text))
    }

    func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer) throws(HTTPFailure) {
        try check(ccurl_easy_set_pointer(handle, option, pointer))
    }

    func set(_ option: CURLoption, _ callback: @escaping curl_write_callback) throws(HTTPFailure) {
        try check(ccurl_easy_set_write_callback(handle, option, callback))
    }

    func setOpenSocket(_ callback: @escaping curl_opensocket_callback) throws(HTTPFailure) {
        try check(ccurl_easy_set_open_socket_callback(handle, callback))
    }

    /// libcurl copies the bytes.
    func setBody(_ bytes: [UInt8]) throws(HTTPFailure) {
        try set(CURLOPT_POSTFIELDSIZE_LARGE, offset: bytes.count)
        let code = bytes.withUnsafeBytes { bytes in
            ccurl_easy_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        }
        try check(code)
    }

    /// libcurl does not copy this list: it stays ours until the handle is gone.
    func setHeaders(_ lines: [String]) throws(HTTPFailure) {
        for line in lines {
            guard let longer = curl_slist_append(headers, line) else { throw HTTPFailure(.other, "out of memory") }
            headers = longer
        }
        try check(ccurl_easy_set_pointer(handle, CURLOPT_HTTPHEADER, headers))
    }

    func long(_ info: CURLINFO) -> Int {
        var value = 0
        return ccurl_easy_get_long(handle, info, &value) == CURLE_OK ? value : 0
    }

    /// What libcurl wrote about the last failure; empty where it wrote nothing.
    var errorWords: String {
        let bytes = errorText.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func check(_ code: CURLcode) throws(HTTPFailure) {
        guard code != CURLE_OK else { return }
        throw HTTPFailure(curl: code, words: errorWords)
    }
}

/// libcurl: a handle is used by one thread at a time.
@available(*, unavailable)
extension CurlEasy: Sendable {}
