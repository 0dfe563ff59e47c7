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
