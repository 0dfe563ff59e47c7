package import AgentCore

/// Where carried caches are, and who may be believed about them.
package struct CacheSettings: Equatable, Sendable {
    package struct Credentials: Equatable, Sendable {
        var accessKeyID: Secret
        var secretAccessKey: Secret
    }

    package var bucket: String
    /// Without slashes at its ends; may be empty.
    package var prefix: String
    /// Known to every node of the fleet, and to nobody who only has the store's credentials.
    package var signingKey: Secret
    /// Other credentials than the engine's, which it could write caches with.
    package var credentials: Credentials?
    package var mayWrite: Bool
    /// Of everything below the prefix, in bytes.
    package var limit: UInt64

    static let shortestSigningKey = 32
    static let defaultLimit: Int64 = 16 << 30

    /// The store of the assignment, with our own credentials where there are some.
    package func store(_ store: ObjectStore) -> ObjectStore {
        guard let credentials else { return store }
        var own = store
        own.accessKeyID = credentials.accessKeyID
        own.secretAccessKey = credentials.secretAccessKey
        own.sessionToken = nil
        return own
    }
}

extension SettingsReader {
    /// Names, `-name` for off, separated by blanks or commas.
    mutating func savings() -> StartSaving.Wishes {
        var wishes = StartSaving.Wishes()
        for word in (text("CROSSLOGIC_START_SAVINGS") ?? "").split(whereSeparator: { " ,".contains($0) }) {
            let isOff = word.hasPrefix("-")
            guard let saving = StartSaving(rawValue: String(isOff ? word.dropFirst() : word)) else {
                let names = StartSaving.allCases.map(\.rawValue).joined(separator: ", ")
                fault("CROSSLOGIC_START_SAVINGS", "names \"\(word)\"; there are \(names), and -name for off")
                continue
            }
            if isOff { wishes.off.insert(saving) } else { wishes.on.insert(saving) }
        }
        return wishes
    }

    /// nil where caches are not carried.
    mutating func caches() -> CacheSettings? {
        guard let uri = text("CROSSLOGIC_CACHE_URI") else { return nil }
        let mayWrite = flag("CROSSLOGIC_CACHE_WRITE") ?? true
        let limit = integer("CROSSLOGIC_CACHE_LIMIT", in: 1...Int64.max) ?? CacheSettings.defaultLimit
        let credentials = cacheCredentials()
        guard uri.hasPrefix("s3://"), !uri.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) else {
            fault("CROSSLOGIC_CACHE_URI", "must be s3://bucket/prefix")
            return nil
        }
        let parts = uri.dropFirst("s3://".count).split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        guard let bucket = parts.first, let key = required("CROSSLOGIC_CACHE_SIGNING_KEY") else {
            if parts.isEmpty { fault("CROSSLOGIC_CACHE_URI", "must be s3://bucket/prefix") }
            return nil
        }
        guard key.utf8.count >= CacheSettings.shortestSigningKey else {
            fault("CROSSLOGIC_CACHE_SIGNING_KEY", "is too short; `openssl rand -hex 32` makes one")
            return nil
        }
        return CacheSettings(
            bucket: bucket, prefix: parts.dropFirst().joined(separator: "/"), signingKey: Secret(key),
            credentials: credentials, mayWrite: mayWrite, limit: UInt64(limit))
    }

    private mutating func cacheCredentials() -> CacheSettings.Credentials? {
        let names = ["CROSSLOGIC_CACHE_ACCESS_KEY", "CROSSLOGIC_CACHE_SECRET_KEY"]
        guard names.contains(where: { text($0) != nil }) else { return nil }
        guard let key = required(names[0]), let secret = required(names[1]) else { return nil }
        return CacheSettings.Credentials(accessKeyID: Secret(key), secretAccessKey: Secret(secret))
    }
}
