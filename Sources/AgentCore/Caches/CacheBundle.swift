/// The files of a cache, in the order in which their contents follow one another, cut into parts of one size.
///
/// Text, a line a file: `x 1234 torch_compile_cache/ab/model` for an executable one, `-` first for others.
package struct CacheBundle: Equatable, Sendable {
    package struct File: Equatable, Sendable {
        /// Below the cache's root.
        package var path: String
        package var bytes: UInt64
        package var isExecutable: Bool

        package init(path: String, bytes: UInt64, isExecutable: Bool) {
            self.path = path
            self.bytes = bytes
            self.isExecutable = isExecutable
        }
    }

    /// What of `VLLM_CACHE_ROOT` is worth carrying; the rest are downloads and what no key protects.
    package static let folders = ["modelinfos", "startup_plan", "torch_compile_cache"]
    package static let partBytes: UInt64 = 8 << 20
    package static let maximumFiles = 32_768
    package static let maximumBytes: UInt64 = 2 << 30
    /// Of the text.
    package static let maximumTextBytes = 16 << 20
    private static let maximumPathBytes = 1024

    package let files: [File]
    package let bytes: UInt64

    /// Throws where a path leads out of the folders, comes twice, or there is too much of anything.
    package init(_ files: [File]) throws(CacheFault) {
        guard files.count <= Self.maximumFiles else { throw CacheFault("more than \(Self.maximumFiles) files") }
        var bytes: UInt64 = 0
        var seen: Set<String> = []
        for file in files {
            guard Self.isSafe(file.path) else { throw CacheFault("the path \(file.path.debugDescription)") }
            guard seen.insert(file.path).inserted else { throw CacheFault("\(file.path) twice") }
            let (sum, overflow) = bytes.addingReportingOverflow(file.bytes)
            guard !overflow, sum <= Self.maximumBytes else {
                throw CacheFault("more than \(Self.maximumBytes) bytes")
            }
            bytes = sum
        }
        self.files = files
        self.bytes = bytes
    }

    package var partCount: Int { Int((bytes + Self.partBytes - 1) / Self.partBytes) }

    /// Of the part with this number, from 0.
    package func bytes(ofPart number: Int) -> UInt64 {
        min(Self.partBytes, bytes - UInt64(number) * Self.partBytes)
    }

    package var lines: [String] { files.map { "\($0.isExecutable ? "x" : "-") \($0.bytes) \($0.path)" } }

    package init(lines: some Sequence<some StringProtocol>) throws(CacheFault) {
        var files: [File] = []
        for line in lines {
            guard files.count < Self.maximumFiles else { throw CacheFault("more than \(Self.maximumFiles) files") }
            let fields = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, fields[0] == "x" || fields[0] == "-", let bytes = UInt64(fields[1]) else {
                throw CacheFault("a line that names no file")
            }
            files.append(File(path: String(fields[2]), bytes: bytes, isExecutable: fields[0] == "x"))
        }
        try self.init(files)
    }

    /// No step up, no absolute path, no hidden meaning: the path is joined to a folder of the engine's.
    static func isSafe(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return path.utf8.count <= maximumPathBytes && parts.count >= 2 && folders.contains(String(parts[0]))
            && path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
            && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}

/// Why a cache is not taken, in words that follow "it has".
package struct CacheFault: Error, Equatable, Sendable {
    package var reason: String

    package init(_ reason: String) {
        self.reason = reason
    }
}
