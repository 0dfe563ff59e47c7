internal import AgentCore
internal import CCurl

extension HTTPFailure {
    static let cancelledByCaller = HTTPFailure(.cancelled, "the request was cancelled")

    /// `words`: libcurl's error buffer; where it is empty, libcurl's general text for the code.
    init(curl code: CURLcode, words: String) {
        let text = words.isEmpty ? String(cString: curl_easy_strerror(code)) : words
        self.init(Self.kind(of: code), CurlMessage.cleaned(text))
    }

    private static func kind(of code: CURLcode) -> Kind {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            .resolve
        case CURLE_COULDNT_CONNECT, CURLE_PROXY:
            .connect
        case CURLE_OPERATION_TIMEDOUT:
            .timeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_ENGINE_INITFAILED:
            .tls
        case CURLE_FILESIZE_EXCEEDED:
            .tooLarge
        case CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_HTTP2,
            CURLE_HTTP2_STREAM:
            .truncated
        default:
            .other
        }
    }
}

/// Makes libcurl's words fit to be logged: they can quote the URL and bytes of the server's.
enum CurlMessage {
    private static let limit = 256

    /// One line of at most 256 bytes; URLs in it lose user information, query and fragment.
    static func cleaned(_ text: String) -> String {
        let words = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        let bytes = words.map { cleaned(word: Array($0)) }.joined(separator: [UInt8(ascii: " ")])
        let printable = bytes.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: " ") : $0 }
        return truncated(String(decoding: printable, as: UTF8.self))
    }

    private static func cleaned(word: [UInt8]) -> [UInt8] {
        guard let scheme = endOfScheme(in: word) else { return word }
        let kept = word[scheme...].prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        let authority = kept.prefix { $0 != UInt8(ascii: "/") }
        guard let at = authority.lastIndex(of: UInt8(ascii: "@")) else { return Array(word[..<scheme] + kept) }
        return Array(word[..<scheme] + kept[(at + 1)...])
    }

    /// The index after `://`.
    private static func endOfScheme(in word: [UInt8]) -> Int? {
        let mark = Array("://".utf8)
        return word.indices.dropLast(mark.count - 1).first { word[$0...].starts(with: mark) }.map { $0 + mark.count }
    }

    private static func truncated(_ text: String) -> String {
        var end = text.startIndex
        while end < text.endIndex {
            let next = text.unicodeScalars.index(after: end)
            guard text.utf8.distance(from: text.startIndex, to: next) <= limit else { break }
            end = next
        }
        return String(text[..<end])
    }
}
