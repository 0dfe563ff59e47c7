/// How far a log has been understood: what an agent saves and its successor goes on from.
///
/// A reader of the log is a value with a state (an open traceback, the engine's version), which is not saved: it is
/// rebuilt by reading again what it was made from, `origin` up to `understood`. The bytes are the truth, and a saved
/// state would be a second one that every new version of the agent had to read. What is built from facts, such as the
/// progress, is rebuilt with it; a phase that was told has its mark in the handover's timeline and is not told again.
/// What lies behind `understood` is news.
///
/// `understood` stands behind the last complete line. An agent that is killed has saved at most a pause ago; that its
/// successor takes the lines since then for news does no harm, for the same reason.
package struct LogCheckpoint: Equatable, Sendable {
    /// Where the start of the engine begins that is being followed.
    package var origin: LogPosition
    package var understood: LogPosition

    package init(origin: LogPosition, understood: LogPosition) {
        self.origin = origin
        self.understood = understood
    }
}

/// A place in a log file, to be found again after the file was renamed or copied.
package struct LogPosition: Equatable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    /// In bytes from the file's beginning.
    package var offset: Int64
    /// Of the bytes right before `offset`. An inode is soon used again for another file.
    package var fingerprint: LogFingerprint

    package init(device: UInt64, inode: UInt64, offset: Int64, fingerprint: LogFingerprint) {
        self.device = device
        self.inode = inode
        self.offset = offset
        self.fingerprint = fingerprint
    }
}

/// Tells bytes from others by a 64-bit FNV-1a. Against accidents, not against somebody who forges a log.
package struct LogFingerprint: Equatable, Sendable {
    /// In bytes. A few lines: shorter ones repeat themselves.
    package static let longest = 256

    package let count: Int
    package let hash: UInt64

    package init(count: Int, hash: UInt64) {
        self.count = count
        self.hash = hash
    }

    package init(of bytes: [UInt8]) {
        count = bytes.count
        hash = bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}

/// Where following a log begins.
package enum LogStart: Equatable, Sendable {
    /// At the end of what is there; a log that appears later is read from its first byte.
    case end
    case beginning
    /// At this byte of the file that is there. One that is shorter is another one, and read from its first byte.
    case offset(Int64)
    /// Where an earlier follower was. See `EngineLogSource.follow`.
    case checkpoint(LogCheckpoint)
}
