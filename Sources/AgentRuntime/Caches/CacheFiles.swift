internal import AgentCore

/// The staging folder, as the agent sees it.
enum CacheFiles {
    private static let maximumContents = 16
    private static let longest: UInt64 = 1 << 20

    static func part(_ number: Int) -> String {
        let digits = String(number)
        return "part-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }

    /// The first few files of this name, taken out of the parts.
    static func contents(
        of bundle: CacheBundle, named name: String, in folder: String, _ files: any FileStore
    ) -> [[UInt8]] {
        var contents: [[UInt8]] = []
        var offset: UInt64 = 0
        for file in bundle.files {
            defer { offset += file.bytes }
            guard file.path.hasSuffix("/\(name)"), file.bytes <= longest, contents.count < maximumContents else {
                continue
            }
            var bytes: [UInt8] = []
            while UInt64(bytes.count) < file.bytes {
                let (number, start) = (offset + UInt64(bytes.count)).quotientAndRemainder(
                    dividingBy: CacheBundle.partBytes)
                let read = try? files.read("\(folder)/\(part(Int(number)))", limit: Int(CacheBundle.partBytes))
                guard let part = read ?? nil, UInt64(part.count) > start else { break }
                bytes += part[Int(start)...].prefix(Int(file.bytes) - bytes.count)
            }
            contents.append(bytes)
        }
        return contents
    }
}
