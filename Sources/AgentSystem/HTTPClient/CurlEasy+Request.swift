internal import AgentCore
internal import CCurl

/// Every option of a request, in one place.
extension CurlEasy {
    func configure(for request: HTTPRequest, settings: CurlSettings) throws(HTTPFailure) {
        try setPolicy(settings)
        try setLimits(request)
        if !request.mayUseProxy {
            // Not the same as unset: the empty text keeps libcurl from asking the environment.
            try set(CURLOPT_PROXY, "")
        }
        guard !request.url.utf8.contains(where: \.isControl) else {
            throw HTTPFailure(.other, "the URL contains a control character")
        }
        try set(CURLOPT_URL, request.url)
        if let body = request.body ?? (request.method == .get ? nil : []) {
            try setBody(body)
        }
        try set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        try setHeaders(Self.headerLines(request.headers))
    }

    private func setPolicy(_ settings: CurlSettings) throws(HTTPFailure) {
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_PROTOCOLS, ccurl_protocols_http_and_https)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        try set(CURLOPT_USERAGENT, settings.userAgent)
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        if let file = settings.certificateAuthorityFile {
            try set(CURLOPT_CAINFO, file)
            // Some builds also have a default folder, which would be trusted besides the file.
            try set(CURLOPT_CAPATH, nil)
        }
        // Without it, giving up on a name that no DNS server answers for joins the resolver's thread, which holds up
        // every other transfer for the resolver's own timeout. Before 7.87 there is no way round that.
        _ = ccurl_easy_set_quick_exit(handle, 1)
    }

    private func setLimits(_ request: HTTPRequest) throws(HTTPFailure) {
        try set(CURLOPT_TIMEOUT_MS, request.timeout.curlMilliseconds)
        try set(CURLOPT_CONNECTTIMEOUT_MS, min(request.connectTimeout, request.timeout).curlMilliseconds)
        if let stall = request.stallTimeout {
            // libcurl counts in whole seconds.
            try set(CURLOPT_LOW_SPEED_LIMIT, 1)
            try set(CURLOPT_LOW_SPEED_TIME, max(1, stall.curlMilliseconds / 1000))
        }
        // Refuses by Content-Length before the first byte of the body, and before the other headers; `CurlAnswer` counts
        // the rest.
        if !request.dropsLongBody { try set(CURLOPT_MAXFILESIZE_LARGE, offset: request.maximumResponseBytes) }
    }

    private static func headerLines(_ headers: [(name: String, value: Secret)]) throws(HTTPFailure) -> [String] {
        var lines: [String] = []
        for (name, value) in headers {
            let text = value.reveal()
            guard !name.isEmpty, !name.utf8.contains(where: \.isControl), !text.utf8.contains(where: \.isControl) else {
                throw HTTPFailure(.other, "a request header has no name or contains a control character")
            }
            // libcurl sends a header without a value only for the form with a semicolon.
            lines.append(text.isEmpty ? "\(name);" : "\(name): \(text)")
        }
        let given = Set(headers.map { $0.name.lowercased() })
        // Headers that libcurl would add to a body by itself: a form's type, and a wait for `100 Continue`.
        for name in ["Content-Type", "Expect"] where !given.contains(name.lowercased()) {
            lines.append("\(name):")
        }
        return lines
    }
}

extension Duration {
    /// 0 would mean "no limit" to libcurl, and a 32-bit `long` is all that every build takes.
    fileprivate var curlMilliseconds: Int {
        Int(clamping: min(max(inNanoseconds / 1_000_000, 1), Int64(Int32.max)))
    }
}

extension UInt8 {
    fileprivate var isControl: Bool { self < 0x20 || self == 0x7f }
}
