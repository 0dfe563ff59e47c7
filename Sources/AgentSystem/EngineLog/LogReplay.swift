internal import AgentCore

/// What lies between the two places of a checkpoint, given out again.
///
/// A log of ten gigabytes is not read twice: its head has the start's phases, its end what a verdict needs, and what
/// lies between is requests.
struct LogReplay {
    /// In bytes, of the head and of the end. A start writes 40 kB, with debugging on a few megabytes.
    static let longest: Int64 = 4 << 20

    private struct Piece {
        var file: Descriptor
        var offset: Int64
        var end: Int64
        /// Begins in the middle of a line, which is left out.
        var isCut = false
    }

    private var pieces: [Piece] = []

    /// `origin` is nil when its file is gone.
    init(origin: Descriptor?, understood: Descriptor, _ checkpoint: LogCheckpoint) {
        let (first, last) = (checkpoint.origin, checkpoint.understood)
        let isOneFile = first.inode == last.inode && first.device == last.device && first.offset <= last.offset
        if isOneFile, last.offset - first.offset <= 2 * Self.longest {
            pieces = [Piece(file: understood, offset: first.offset, end: last.offset)]
            return
        }
        if let origin = isOneFile ? understood : origin {
            let size = (try? origin.status()).map(LogFollowing.File.init)?.size ?? 0
            pieces.append(Piece(file: origin, offset: first.offset, end: min(size, first.offset + Self.longest)))
        }
        let start = max(0, last.offset - Self.longest)
        pieces.append(Piece(file: understood, offset: start, end: last.offset, isCut: start > 0))
    }

    mutating func next() -> [UInt8]? {
        while let piece = pieces.first {
            let limit = min(Int64(FollowedFile.chunkSize), piece.end - piece.offset)
            guard limit > 0, let bytes = try? piece.file.read(upTo: Int(limit), at: piece.offset), !bytes.isEmpty
            else {
                pieces.removeFirst()
                // The head ends anywhere.
                if !pieces.isEmpty { return [.newline] }
                continue
            }
            pieces[0].offset += Int64(bytes.count)
            guard piece.isCut else { return bytes }
            guard let newline = bytes.firstIndex(of: .newline) else { continue }
            pieces[0].isCut = false
            return Array(bytes[newline...])
        }
        return nil
    }
}

extension UInt8 {
    static let newline = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
}
