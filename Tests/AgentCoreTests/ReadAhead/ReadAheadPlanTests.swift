internal import AgentCore
internal import Testing

@Suite("Plans for reading ahead")
struct ReadAheadPlanTests {
    @Test("Pages near to each other are one range, and the last one ends with the file")
    func ranges() {
        var resident = [Bool](repeating: false, count: 1000)
        resident[0] = true
        resident[3] = true
        resident[999] = true
        let bytes: UInt64 = 999 * 4096 + 10
        #expect(
            ReadAheadPlan.ranges(resident: resident, pageBytes: 4096, fileBytes: bytes)
                == [0..<16_384, 999 * 4096..<bytes])
    }

    @Test("Come back from their text")
    func text() {
        let plan = ReadAheadPlan(files: [
            ReadAheadPlan.File(path: "/opt/a b", ranges: [0..<10, 4096..<8192]),
            ReadAheadPlan.File(path: "/opt/c", ranges: [5..<6]),
        ])
        #expect(ReadAheadPlan(text: plan.text) == plan)
        #expect(plan.bytes == 10 + 4096 + 1)
    }

    @Test(
        "What is no plan reads nothing beyond what is one",
        arguments: ["", "relative\n 0 1\n", " 0 1\n", "/a\n x y\n", "/a\n 18446744073709551615 2\n", "/a\n 1\n 2 3"])
    func nonsense(_ text: String) {
        #expect(ReadAheadPlan(text: Array(text.utf8)).bytes == 0)
    }
}
