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
        arguments: [
            "", "relative\n 0 1\n", " 0 1\n", "/a\n x y\n", "/a\n 18446744073709551615 2\n", "/a\n 1\n 2 3",
            "/a\n 0 18446744073709551615\n", "/a\n 9223372036854775808 1\n", "/a\n 0 1099511627777\n",
        ])
    func nonsense(_ text: String) {
        let plan = ReadAheadPlan(text: Array(text.utf8))
        var pieces = ReadAheadPieces(plan, length: 1 << 39)
        var found = 0
        while pieces.next() != nil { found += 1 }
        #expect((plan.bytes, found) == (0, 0))
    }

    @Test("What is there before a plan goes wrong is read, however often it names the most there may be")
    func bounded() {
        let text = "/a\n 0 5\n" + String(repeating: " 0 1099511627771\n", count: 3)
        #expect(ReadAheadPlan(text: Array(text.utf8)).bytes == 1 << 40)
    }

    @Test("Comes in pieces of one length, file by file")
    func pieces() {
        let plan = ReadAheadPlan(files: [
            ReadAheadPlan.File(path: "/a", ranges: [0..<10, 20..<20, 30..<34]),
            ReadAheadPlan.File(path: "/b", ranges: []),
            ReadAheadPlan.File(path: "/c", ranges: [7..<8]),
        ])
        var pieces = ReadAheadPieces(plan, length: 4)
        var found: [ReadAheadPieces.Piece] = []
        while let piece = pieces.next() { found.append(piece) }
        #expect(found.map(\.range) == [0..<4, 4..<8, 8..<10, 30..<34, 7..<8])
        #expect(found.map(\.path) == ["/a", "/a", "/a", "/a", "/c"])
    }
}
