/// What the cache held when a start looked into it.
package enum CacheState: String, Sendable {
    case cold
    case partial
    case warm
}

/// One request: a stretch of one file.
package struct DownloadPart: Equatable, Sendable {
    package var file: ModelFile
    package var number: Int

    /// In the file, in bytes.
    package var range: Range<UInt64> {
        let begin = UInt64(number) * DownloadPlan.partBytes
        return begin..<min(begin + DownloadPlan.partBytes, file.bytes)
    }

    package var bytes: UInt64 { UInt64(range.count) }
}

/// What has to be fetched so that a folder holds a model, from what the store lists and what is there.
package struct DownloadPlan: Equatable, Sendable {
    /// A part takes a fraction of a second on one connection of a good link, and half a minute on a bad one.
    package static let partBytes: UInt64 = 16 << 20

    package var wanted: [ModelFile]
    /// Of files that are not whole, with what is there of them.
    package var begun: [String: PartSet]
    package var whole: Set<String>
    /// Names on the disk that belong to no wanted content.
    package var leftovers: [String]

    /// `found` is what is on the disk, by name and size, and `record` what was written down about it.
    package init(wanted: [ModelFile], record: ModelCacheRecord?, found: [String: UInt64], boot: String) {
        self.wanted = wanted
        begun = [:]
        whole = []
        var kept: Set<String> = []
        for file in wanted {
            guard let known = record?.files[file.name], known.bytes == file.bytes, known.tag == file.tag else {
                continue
            }
            let partial = file.name + ModelFile.partSuffix
            if known.parts == nil, found[file.name] == file.bytes {
                whole.insert(file.name)
                kept.insert(file.name)
            } else if let parts = known.parts, record?.boot == boot, found[partial] == file.bytes {
                begun[file.name] = parts
                kept.insert(partial)
            }
        }
        leftovers = found.keys.filter { !kept.contains($0) }.sorted()
    }

    /// In the order in which they are fetched.
    package var missing: [DownloadPart] {
        wanted.filter { !whole.contains($0.name) }.flatMap { file in
            (0..<Self.parts(of: file)).filter { begun[file.name]?.contains($0) != true }
                .map { DownloadPart(file: file, number: $0) }
        }
    }

    /// Files of which every part is there, though nobody has looked at the whole; those without a byte, too.
    package var unchecked: [ModelFile] {
        wanted.filter { file in
            !whole.contains(file.name)
                && (0..<Self.parts(of: file)).allSatisfy { begun[file.name]?.contains($0) == true }
        }
    }

    package static func parts(of file: ModelFile) -> Int { Int((file.bytes + partBytes - 1) / partBytes) }

    package var totalBytes: UInt64 { wanted.reduce(0) { $0 &+ $1.bytes } }

    /// What the disk has still to give, too: files that were begun have holes, which take no room.
    package var missingBytes: UInt64 { missing.reduce(0) { $0 &+ $1.bytes } }

    package var state: CacheState {
        if whole.count == wanted.count { return .warm }
        return missingBytes == totalBytes ? .cold : .partial
    }
}
