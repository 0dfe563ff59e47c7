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

    @Test("Every thread keeps to the processors that were chosen, those that were there before as well")
    func processors() throws {
        let all = Self.allowed()
        let last = try #require(all.last)
        #expect(clinux_keep_to_processors([last], 1) == 0)
        #expect(Self.allowed() == [last])
        #expect(try threadsElsewhere(than: "\(last)") == [])
        #expect(clinux_keep_to_processors(all, Int32(all.count)) == 0)
        #expect(Self.allowed() == all)
    }

    @Test("Processors that are not there are refused, and everything stays as it was")
    func noSuchProcessor() {
        let all = Self.allowed()
        #expect(clinux_keep_to_processors([1023], 1) == -1)
        #expect(Self.allowed() == all)
    }

    private static func allowed() -> [Int32] {
        var numbers = [Int32](repeating: 0, count: 1024)
        let count = clinux_allowed_processors(&numbers, Int32(numbers.count))
        return Array(numbers.prefix(Int(count)))
    }

    private func threadsElsewhere(than list: String) throws -> [String] {
        try LinuxFileStore().list("/proc/self/task").filter { thread in
            // One that has ended meanwhile is nowhere.
            let status = try? LinuxFileStore().read("/proc/self/task/\(thread)/status", limit: 1 << 16)
            guard let status = status ?? nil else { return false }
            return !String(decoding: status, as: UTF8.self).contains("Cpus_allowed_list:\t\(list)\n")
        }
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
