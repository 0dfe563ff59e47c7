/// Finds control bytes eight at a time: line ends, escapes and NULs are the only bytes the assembler has to stop for.
enum ByteScanner {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    /// The first byte below 0x20 at or after `start`.
    static func control(in chunk: Span<UInt8>, from start: Int) -> Int? {
        chunk.withUnsafeBufferPointer { bytes in
            var index = start
            let count = bytes.count
            guard index < count, let base = UnsafeRawPointer(bytes.baseAddress) else { return nil }
            while index + 16 <= count {
                let low = base.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian
                let high = base.loadUnaligned(fromByteOffset: index + 8, as: UInt64.self).littleEndian
                let lowHit = below0x20(low)
                let highHit = below0x20(high)
                if lowHit | highHit != 0 {
                    return lowHit != 0
                        ? index + lowHit.trailingZeroBitCount / 8 : index + 8 + highHit.trailingZeroBitCount / 8
                }
                index += 16
            }
            while index < count {
                if bytes[index] < 0x20 { return index }
                index += 1
            }
            return nil
        }
    }

    /// The high bit of every byte below 0x20. Borrows can set the bit of a byte above a true hit, never below one,
    /// so the lowest set bit is exact.
    private static func below0x20(_ word: UInt64) -> UInt64 {
        (word &- ones &* 0x20) & ~word & highs
    }
}
