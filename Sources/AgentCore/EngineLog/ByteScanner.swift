/// Finds bytes eight at a time. Control bytes (line ends, escapes, NULs) are the only ones the assembler has to stop
/// for.
enum ByteScanner {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    /// The first byte below 0x20 at or after `start`.
    @inline(__always)
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

    /// Where `byte` first stands at or after `start`, before `end`, which is not beyond the chunk.
    static func firstIndex(of byte: UInt8, in chunk: Span<UInt8>, from start: Int, before end: Int) -> Int? {
        guard start >= 0, start < end else { return nil }
        return chunk.withUnsafeBytes { bytes in
            let pattern = ones &* UInt64(byte)
            var index = start
            while index + 8 <= end {
                let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian ^ pattern
                let hit = (word &- ones) & ~word & highs
                if hit != 0 { return index + hit.trailingZeroBitCount / 8 }
                index += 8
            }
            while index < end {
                if bytes[index] == byte { return index }
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
