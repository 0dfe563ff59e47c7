internal import CLinux
internal import Testing

@testable internal import AgentSystem

@Suite struct ProgramTests {
    @Test("Code that is given back is unmapped, and comes back when it is executed again")
    func code() throws {
        // Other tests execute code meanwhile, so that one look may see no less than the one before.
        let shrinks = try (0..<20).contains { _ in
            let before = try mappedCode()
            clinux_release_code()
            return try mappedCode() < before * 3 / 4
        }
        #expect(shrinks)
    }

    /// KiB of files' code in memory, as proc_pid_smaps(5) has it.
    private func mappedCode() throws -> Int {
        let smaps = try #require(try LinuxFileStore().read("/proc/self/smaps", limit: 1 << 24))
        var isCode = false
        var sum = 0
        for line in String(decoding: smaps, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            if fields.count > 1, fields[1].count == 4, fields[1].hasSuffix("p") || fields[1].hasSuffix("s") {
                isCode = fields[1] == "r-xp" && fields.count > 5 && fields[5].hasPrefix("/")
            } else if isCode, fields.first == "Rss:" {
                sum += try #require(Int(fields[1]))
            }
        }
        return sum
    }
}
