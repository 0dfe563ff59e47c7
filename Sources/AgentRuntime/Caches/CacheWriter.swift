internal import AgentCore
internal import AgentWire

/// Puts caches into the store, and keeps what is there within its bounds.
struct CacheWriter {
    /// Of a manifest that is used: older, and it is written anew, so that its age tells when it was used last.
    private static let freshness = 86_400.0
    private static let looks = 8
    /// Seconds for which a part that nobody names is left alone: another node may be about to name it.
    private static let grace = 3600.0

    let store: CacheStore
    let key: CacheKey
    let ports: AgentPorts
    let caches: CacheSettings
    /// Where the packed parts lie.
    let folder: String

    func carry(_ bundle: CacheBundle) async throws(CacheTrouble) {
        guard caches.mayWrite, !bundle.files.isEmpty else { return }
        var parts: [String] = []
        for number in 0..<bundle.partCount {
            // One in memory at a time, hashed and sent from there: what changes on the disk meanwhile is not signed.
            let bytes = try read(number, bytes: bundle.bytes(ofPart: number))
            let name = Hexadecimal.text(ports.signer.sha256(bytes))
            try await asking { () async throws(StoreTrouble) in try await store.put(key.digest, part: name, bytes) }
            parts.append(name)
        }
        let manifest = CacheManifest(key: key, parts: parts, bundle: bundle)
        try await put(manifest)
        ports.log.write(
            .notice, "carried caches: \(bundle.files.count) files, \(bundle.bytes) bytes are in the store for others")
        try await removeUnnamed(by: manifest)
        try await removeOldest()
    }

    /// Parts of earlier manifests of this key. Ages are those of the store: its clock wrote all of them.
    private func removeUnnamed(by manifest: CacheManifest) async throws(CacheTrouble) {
        let found = try await asking { () async throws(StoreTrouble) in try await store.objects(under: key.digest) }
        let named = Set(manifest.parts)
        let aged = found.map { (name: $0.name, at: $0.modifiedAt.flatMap { WallClock.seconds(rfc3339: $0) }) }
        guard let newest = aged.compactMap(\.at).max() else { return }
        let gone = aged.filter { object in
            guard let at = object.at, let name = object.name.split(separator: "/").last else { return false }
            return Hexadecimal.isDigest(name) && !named.contains(String(name)) && newest - at > Self.grace
        }
        try await asking { () async throws(StoreTrouble) in try await store.remove(gone.map(\.name)) }
    }

    /// The mark of a use, for whoever decides what goes.
    func touch(_ manifest: CacheManifest) async throws(CacheTrouble) {
        guard caches.mayWrite else { return }
        let written = try await asking { () async throws(StoreTrouble) in try await store.modifiedAt(key.digest) }
        let age = written.flatMap { WallClock.seconds(rfc3339: $0) }.map { ports.clocks.wallTime() - $0 }
        if let age, age > Self.freshness { try await put(manifest) }
    }

    private func put(_ manifest: CacheManifest) async throws(CacheTrouble) {
        let bytes = manifest.signed(with: caches.signingKey, ports.signer)
        try await asking { () async throws(StoreTrouble) in try await store.put(key.digest, manifest: bytes) }
    }

    private func removeOldest() async throws(CacheTrouble) {
        let found = try await asking { () async throws(StoreTrouble) in try await store.entries() }
        guard let found else { return }
        let gone = CacheRetention.superfluous(Array(found.keys), keeping: key.digest, limit: caches.limit)
        for entry in found where gone.contains(entry.key.key) {
            try await asking { () async throws(StoreTrouble) in try await store.remove(entry.value) }
            ports.log.write(
                .info, "carried caches: removed \(entry.key.bytes) bytes that were not used for the longest time")
        }
    }

    /// In which factors this start differs from the most similar one that has caches in the store.
    func nearest() async throws(CacheTrouble) -> [String]? {
        let found = try await asking { () async throws(StoreTrouble) in try await store.entries() }
        let newest = (found ?? [:]).keys.sorted { $0.lastUse > $1.lastUse }.prefix(Self.looks)
        var closest: [String]?
        for entry in newest {
            let bytes = try await asking { () async throws(StoreTrouble) in
                try await store.manifest(entry.key, deadline: .seconds(10))
            }
            guard let bytes, let manifest = try? believing(bytes, entry.key, caches.signingKey, ports.signer) else {
                continue
            }
            let differences = CacheKey.differences(key.factors, manifest.factors)
            if differences.count < closest?.count ?? .max { closest = differences }
        }
        return closest
    }

    private func read(_ number: Int, bytes: UInt64) throws(CacheTrouble) -> [UInt8] {
        let path = "\(folder)/\(CacheFiles.part(number))"
        let part: [UInt8]?
        do throws(FileFailure) {
            part = try ports.files.read(path, limit: Int(CacheBundle.partBytes))
        } catch {
            throw .failed(error.message)
        }
        guard let part, part.count == Int(bytes) else { throw .failed("\(path) is not as long as its index says") }
        return part
    }
}
