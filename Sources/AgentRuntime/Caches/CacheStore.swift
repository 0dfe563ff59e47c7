internal import AgentCore
internal import AgentWire

/// Carried caches in the object store: `PREFIX/KEY/manifest`, and beside it the parts, each named by its SHA-256.
///
/// Parts come before the manifest that names them, so a reader finds all or nothing; and as they are named by what they
/// hold, two nodes that write at the same time do not mix.
struct CacheStore: Sendable {
    private static let manifestName = "manifest"
    private static let parallel = 4
    private static let patience = Duration.seconds(60)
    private static let maximumPages = 20

    let requests: S3Requests
    let prefix: String
    let http: any HTTPClient

    /// nil where there is none.
    func manifest(_ key: String, deadline: Duration) async throws(StoreTrouble) -> [UInt8]? {
        var request = requests.get(path(key, Self.manifestName), maximumBytes: CacheManifest.maximumBytes)
        request.timeout = deadline
        let answer = try await ask(request)
        if answer.status == 404 { return nil }
        return try Self.checked(answer).body
    }

    func part(_ key: String, _ name: String, bytes: UInt64, deadline: Duration) async throws(StoreTrouble) -> [UInt8] {
        var request = requests.get(path(key, name), maximumBytes: Int(bytes))
        request.timeout = deadline
        return try Self.checked(try await ask(request)).body
    }

    func put(_ key: String, part name: String, _ bytes: [UInt8]) async throws(StoreTrouble) {
        _ = try Self.checked(try await ask(requests.put(path(key, name), bytes, timeout: Self.patience)))
    }

    func put(_ key: String, manifest bytes: [UInt8]) async throws(StoreTrouble) {
        try await put(key, part: Self.manifestName, bytes)
    }

    /// What is there, by key; nil where there is more than can be looked at.
    func entries() async throws(StoreTrouble) -> [CacheRetention.Entry: [String]]? {
        var names: [String: [String]] = [:]
        var entries: [String: CacheRetention.Entry] = [:]
        var continuation: String?
        for _ in 0..<Self.maximumPages {
            let listed = requests.list(prefix: folder, continuation: continuation)
            let page: S3Listing = try S3Listing.parse(try Self.checked(try await ask(listed)).body)
            for object in page.objects {
                guard let key = key(of: object.name) else { continue }
                var entry = entries[key] ?? CacheRetention.Entry(key: key, bytes: 0, lastUse: "")
                entry.bytes &+= object.bytes
                entry.lastUse = max(entry.lastUse, object.modifiedAt ?? "")
                entries[key] = entry
                names[key, default: []].append(object.name)
            }
            guard let next = page.continuation else {
                return Dictionary(entries.map { ($0.value, names[$0.key] ?? []) }) { $1 }
            }
            continuation = next
        }
        return nil
    }

    /// The manifest first: without it nobody looks for the parts.
    func remove(_ names: [String]) async throws(StoreTrouble) {
        for name in names.sorted(by: { Self.isManifest($0) && !Self.isManifest($1) }) {
            let answer = try await ask(requests.delete(name))
            guard answer.status == 404 else {
                _ = try Self.checked(answer)
                continue
            }
        }
    }

    /// Everything under one key, the manifest too.
    func objects(under key: String) async throws(StoreTrouble) -> [StoredObject] {
        let answer = try Self.checked(try await ask(requests.list(prefix: path(key, ""))))
        return try S3Listing.parse(answer.body).objects.filter { self.key(of: $0.name) == key }
    }

    func modifiedAt(_ key: String) async throws(StoreTrouble) -> String? {
        let answer = try Self.checked(try await ask(requests.list(prefix: path(key, Self.manifestName))))
        return try S3Listing.parse(answer.body).objects.first?.modifiedAt
    }

    private static func isManifest(_ name: String) -> Bool { name.hasSuffix("/\(manifestName)") }

    private var folder: String { prefix.isEmpty ? "" : prefix + "/" }

    private func path(_ key: String, _ name: String) -> String { "\(folder)\(key)/\(name)" }

    /// Only what is ours: a prefix may hold other things, which nobody here removes.
    private func key(of name: String) -> String? {
        guard name.hasPrefix(folder) else { return nil }
        let parts = name.dropFirst(folder.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, Hexadecimal.isDigest(parts[0]),
            parts[1] == Self.manifestName || Hexadecimal.isDigest(parts[1])
        else { return nil }
        return String(parts[0])
    }

    private func ask(_ request: HTTPRequest) async throws(StoreTrouble) -> HTTPResponse {
        do throws(HTTPFailure) {
            return try await http.send(request)
        } catch {
            throw .noAnswer(error)
        }
    }

    private static func checked(_ answer: HTTPResponse) throws(StoreTrouble) -> HTTPResponse {
        guard (200..<300).contains(answer.status) else {
            throw .refused(status: answer.status, code: S3Listing.errorCode(answer.body))
        }
        return answer
    }
}
