/// Numbers of parts that are there, as ranges: parts come nearly in order, so there are few.
package struct PartSet: Equatable, Sendable {
    /// Apart from each other, in order.
    private var ranges: [Range<Int>] = []

    package init() {}

    package func contains(_ part: Int) -> Bool { ranges.contains { $0.contains(part) } }

    package mutating func insert(_ part: Int) {
        guard !contains(part) else { return }
        let index = ranges.firstIndex { $0.lowerBound > part } ?? ranges.endIndex
        ranges.insert(part..<part + 1, at: index)
        join(at: index)
        if index > 0 { join(at: index - 1) }
    }

    private mutating func join(at index: Int) {
        guard index + 1 < ranges.count, ranges[index].upperBound == ranges[index + 1].lowerBound else { return }
        ranges[index] = ranges[index].lowerBound..<ranges[index + 1].upperBound
        ranges.remove(at: index + 1)
    }

    /// `0-3,5`
    package var text: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound - 1)" }
            .joined(separator: ",")
    }

    /// nil for anything but what `text` writes, with parts below `limit`.
    package init?(_ text: String, limit: Int) {
        var end = -1
        for piece in text.split(separator: ",", omittingEmptySubsequences: true) {
            let ends = piece.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first > end,
                first <= last, last < limit
            else { return nil }
            ranges.append(first..<last + 1)
            end = last
        }
    }
}
