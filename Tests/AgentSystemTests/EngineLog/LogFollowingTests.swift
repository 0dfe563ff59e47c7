internal import Testing

@testable internal import AgentSystem

struct LogFollowingTests {
    static func file(_ inode: UInt64, _ size: Int64, modified: Int64 = 7) -> LogFollowing.File {
        LogFollowing.File(device: 1, inode: inode, size: size, modified: modified)
    }

    @Test(
        "What to do with the open file and the one at the path",
        arguments: [
            // Nothing open.
            (nil, nil, 0, .wait), (file(1, 0), nil, 0, .open), (file(1, 5), nil, 0, .open),
            // The same file.
            (file(1, 5), file(1, 5), 5, .wait), (file(1, 6), file(1, 6), 5, .read(upTo: 6)),
            (file(1, 4), file(1, 4), 5, .startOver),
            // Written to, and no longer than before.
            (file(1, 5), file(1, 5, modified: 8), 5, .compare(modified: 8)),
            (file(1, 0), file(1, 0, modified: 8), 0, .wait),
            // Deleted or renamed away: its writer may still hold it.
            (nil, file(1, 5), 5, .wait), (nil, file(1, 6), 5, .read(upTo: 6)), (nil, file(1, 0), 5, .startOver),
            // Replaced: the old one first, then the new one once somebody has written to it.
            (file(2, 9), file(1, 6), 5, .read(upTo: 6)), (file(2, 0), file(1, 5), 5, .wait),
            (file(2, 1), file(1, 5), 5, .open), (file(2, 9), file(1, 4), 5, .startOver),
            (file(2, 9), file(1, 5, modified: 8), 5, .compare(modified: 8)),
        ] as [(LogFollowing.File?, LogFollowing.File?, Int64, LogFollowing.Step)])
    func decisions(path: LogFollowing.File?, open: LogFollowing.File?, offset: Int64, step: LogFollowing.Step) {
        #expect(LogFollowing.step(path: path, open: open, offset: offset, compared: 7) == step)
    }

    @Test("The same inode number on another device is another file")
    func devices() {
        let other = LogFollowing.File(device: 2, inode: 1, size: 3)
        #expect(LogFollowing.step(path: other, open: Self.file(1, 3), offset: 3, compared: 7) == .open)
    }
}
