/// Which parts of which files a start of the engine needed; what a boot reads into memory before it is asked for.
///
/// Text: `path` on a line of its own, then a line `offset length` in bytes for each of its ranges, blank in front.
package struct ReadAheadPlan: Equatable, Sendable {
    package struct File: Equatable, Sendable {
        package var path: String
        package var ranges: [Range<UInt64>]

        package init(path: String, ranges: [Range<UInt64>]) {
            self.path = path
            self.ranges = ranges
        }

        package var bytes: UInt64 { ranges.reduce(0) { $0 + UInt64($1.count) } }
    }

    package static let maximumTextBytes = 32 << 20
    private static let maximumFiles = 100_000
    private static let maximumRanges = 1_000_000
    /// Of all ranges together, and of the largest offset: more than any engine has, and no sum of them overflows.
    private static let maximumBytes: UInt64 = 1 << 40
    /// A gap that costs less to read than to leave out.
    private static let smallestGap: UInt64 = 256 << 10

    package var files: [File]

    package init(files: [File]) {
        self.files = files
    }

    package var bytes: UInt64 { files.reduce(0) { $0 + $1.bytes } }

    /// Ranges of resident pages, those close to each other joined.
    package static func ranges(
        resident: [Bool], pageBytes: UInt64, fileBytes: UInt64
    ) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        for (page, isResident) in resident.enumerated() where isResident {
            let begin = UInt64(page) * pageBytes
            let end = min(begin + pageBytes, fileBytes)
            if let last = ranges.last, begin <= last.upperBound + smallestGap {
                ranges[ranges.count - 1] = last.lowerBound..<end
            } else {
                ranges.append(begin..<end)
            }
        }
        return ranges
    }

    package var text: [UInt8] {
        var text = ""
        for file in files {
            text += "\(file.path)\n"
            for range in file.ranges { text += " \(range.lowerBound) \(range.count)\n" }
        }
        return [UInt8](text.utf8)
    }

    /// What is no plan is left out: nothing but time is lost by reading less.
    package init(text: [UInt8]) {
        files = []
        var count = 0
        var left = Self.maximumBytes
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            guard line.hasPrefix(" ") else {
                guard line.hasPrefix("/"), files.count < Self.maximumFiles else { break }
                files.append(File(path: String(line), ranges: []))
                continue
            }
            let numbers = line.split(separator: " ").compactMap { UInt64($0) }
            count += 1
            guard numbers.count == 2, !files.isEmpty, count <= Self.maximumRanges else { break }
            guard numbers[0] <= Self.maximumBytes, numbers[1] <= left else { break }
            left -= numbers[1]
            files[files.count - 1].ranges.append(numbers[0]..<numbers[0] + numbers[1])
        }
    }
}
