package import AgentCore

/// Signed requests to an S3-compatible store, path-style: the bucket is the first part of the path, as the streamer is
/// told to do it too.
package struct S3Requests: Sendable {
    /// Bytes of one page of a listing: a thousand keys of the longest kind.
    package static let maximumListingBytes = 4 << 20

    /// R2 knows one region, under this name; other S3-compatible stores take any.
    private static let region = "auto"

    private let store: ObjectStore
    private let bucket: String
    private let signer: any MessageSigner
    /// Seconds since 1970 by this machine's clock.
    private let wallTime: @Sendable () -> Double

    package init(
        store: ObjectStore, bucket: String, signer: any MessageSigner, wallTime: @escaping @Sendable () -> Double
    ) {
        self.store = store
        self.bucket = bucket
        self.signer = signer
        self.wallTime = wallTime
    }

    /// ListObjectsV2, a page of at most a thousand keys.
    package func list(prefix: String, continuation: String? = nil) -> HTTPRequest {
        var query = [("list-type", "2"), ("prefix", prefix), ("max-keys", "1000")]
        if let continuation { query.append(("continuation-token", continuation)) }
        var request = signed(key: nil, query: query)
        request.maximumResponseBytes = Self.maximumListingBytes
        return request
    }

    /// GET of a part of an object; `range` is in bytes.
    package func get(_ key: String, range: Range<UInt64>) -> HTTPRequest {
        var request = signed(
            key: key, headers: [("range", Secret("bytes=\(range.lowerBound)-\(range.upperBound - 1)"))])
        // A store that ignores the range answers with all of the object, which is not wanted.
        request.maximumResponseBytes = Int(clamping: range.upperBound - range.lowerBound)
        return request
    }

    package func get(_ key: String, maximumBytes: Int) -> HTTPRequest {
        var request = signed(key: key)
        request.maximumResponseBytes = maximumBytes
        return request
    }

    /// Replaces the object. The caller has bounded the bytes; the request's time does not depend on them.
    package func put(_ key: String, _ bytes: [UInt8], timeout: Duration) -> HTTPRequest {
        var request = signed(.put, key: key, body: bytes)
        request.timeout = timeout
        return request
    }

    /// Succeeds, too, where there is no such object.
    package func delete(_ key: String) -> HTTPRequest {
        signed(.delete, key: key)
    }

    private func signed(
        _ method: HTTPRequest.Method = .get, key: String?, query: [(name: String, value: String)] = [],
        headers extra: [(name: String, value: Secret)] = [], body: [UInt8]? = nil
    ) -> HTTPRequest {
        let endpoint = Endpoint(store.endpoint)
        let object = key.map { "/" + SigV4.percentEncoded($0, keepingSlashes: true) } ?? ""
        let path = "\(endpoint.path)/\(SigV4.percentEncoded(bucket))\(object)"
        let query = query.map { (name: SigV4.percentEncoded($0.name), value: SigV4.percentEncoded($0.value)) }
        let timestamp = WallClock.basicFormat(wallTime())
        var headers = extra
        let payload = body.map { Hexadecimal.text(signer.sha256($0)) } ?? SigV4.emptyPayload
        headers.append(("x-amz-content-sha256", Secret(payload)))
        headers.append(("x-amz-date", Secret(timestamp)))
        if let token = store.sessionToken { headers.append(("x-amz-security-token", token)) }
        let signature = SigV4(
            accessKeyID: store.accessKeyID, secretAccessKey: store.secretAccessKey, region: Self.region, service: "s3",
            signer: signer
        ).authorization(
            method: method.rawValue, path: path, query: query, headers: headers + [("host", Secret(endpoint.host))],
            timestamp: timestamp, payloadHash: payload)
        let suffix = query.isEmpty ? "" : "?" + query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
        var request = HTTPRequest(method, endpoint.base + path + suffix, timeout: .seconds(5))
        request.headers = headers + [("Authorization", signature)]
        request.body = body
        // boto3 in the engine goes the same way.
        request.mayUseProxy = true
        return request
    }
}

/// `https://host:port/path`, taken apart as libcurl does: the Host header carries no port that is the scheme's own.
private struct Endpoint {
    let base: String
    let host: String
    let path: String

    init(_ url: String) {
        let scheme = url.hasPrefix("http://") ? "http://" : "https://"
        let rest = url.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        base = scheme + authority
        let standard = scheme == "http://" ? ":80" : ":443"
        host = String(authority.hasSuffix(standard) ? authority.dropLast(standard.count) : authority)
        var path = rest.dropFirst(authority.count)
        while path.hasSuffix("/") { path.removeLast() }
        self.path = String(path)
    }
}
