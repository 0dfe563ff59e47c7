/// What became of carried caches before a start.
package enum CacheRestoration: Equatable, Sendable {
    /// Nobody has carried any for this key.
    case absent
    case restored(files: Int, bytes: UInt64)
    /// They were there, and are not believed.
    case refused(CacheFault)
    case failed(String)
    /// Given up, so that the start is not held up.
    case late
}

/// What the engine's log said about its caches.
package struct CompileSigns: Equatable, Sendable {
    package private(set) var loaded = false
    package private(set) var compiled = false

    package init() {}

    package mutating func note(_ fact: LogFact) {
        switch fact {
        case .compileCacheHit: loaded = true
        case .compileCacheMiss: compiled = true
        default: break
        }
    }
}

/// Whether the engine has used what was carried to it.
package enum CacheUse: Equatable, Sendable {
    /// It said so; or it said nothing, as on a CPU, and made nothing of its own where the same start, by its key, has
    /// compiled what was carried.
    case loaded
    /// It said nothing and made nothing, and nothing compiled was carried: maybe it compiles nothing.
    case nothingNew
    /// It compiled all the same.
    case compiled(newFiles: Int)

    /// `carried` was unpacked before the start, `present` is there after it.
    package init(_ signs: CompileSigns, carried: [CacheBundle.File], present: [CacheBundle.File]) {
        let known = Set(carried.map(\.path))
        let isCompiled = { (file: CacheBundle.File) in file.path.hasPrefix("torch_compile_cache/") }
        let new = present.count { isCompiled($0) && !known.contains($0.path) }
        switch (signs.loaded, signs.compiled) {
        case (true, false): self = .loaded
        case (_, true): self = .compiled(newFiles: new)
        case (false, false) where new > 0: self = .compiled(newFiles: new)
        case (false, false): self = carried.contains(where: isCompiled) ? .loaded : .nothingNew
        }
    }
}
