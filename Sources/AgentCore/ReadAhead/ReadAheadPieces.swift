/// The ranges of a plan in their order, cut into pieces; made one at a time, because a plan may name a great many.
package struct ReadAheadPieces: IteratorProtocol, Sendable {
    package struct Piece: Equatable, Sendable {
        package var path: String
        package var range: Range<UInt64>
    }

    private let files: [ReadAheadPlan.File]
    private let length: UInt64
    private var file = 0
    private var range = 0
    /// Into the range.
    private var offset: UInt64 = 0

    /// Each has at most `length` bytes.
    package init(_ plan: ReadAheadPlan, length: UInt64) {
        files = plan.files
        self.length = length
    }

    package mutating func next() -> Piece? {
        while file < files.count {
            guard range < files[file].ranges.count else {
                (file, range) = (file + 1, 0)
                continue
            }
            let rest = files[file].ranges[range].dropFirst(offset)
            guard !rest.isEmpty else {
                (range, offset) = (range + 1, 0)
                continue
            }
            offset += length
            let end = min(rest.lowerBound + length, rest.upperBound)
            return Piece(path: files[file].path, range: rest.lowerBound..<end)
        }
        return nil
    }
}

extension Range<UInt64> {
    fileprivate func dropFirst(_ bytes: UInt64) -> Range {
        Swift.min(lowerBound + bytes, upperBound)..<upperBound
    }
}
