internal import AgentCore
internal import Testing

@Suite("Room in the model cache")
struct CacheRoomTests {
    private static let gigabyte: UInt64 = 1 << 30
    private static let others = [
        CacheRoom.Model(folder: "new", bytes: 10 * gigabyte, usedAt: 200),
        CacheRoom.Model(folder: "old", bytes: 10 * gigabyte, usedAt: 100),
    ]

    private func evicted(free: UInt64?, limit: UInt64? = nil, total: UInt64, missing: UInt64) throws -> [String] {
        try CacheRoom(free: free, limit: limit, others: Self.others).evictions(
            total: total * Self.gigabyte, missing: missing * Self.gigabyte
        ).map(\.folder)
    }

    @Test("Where there is room nothing goes")
    func roomy() throws {
        #expect(try evicted(free: 20 * Self.gigabyte, total: 16, missing: 16).isEmpty)
        #expect(try evicted(free: nil, total: 16, missing: 16).isEmpty)
    }

    @Test("The model that was used longest ago goes first, and no more than must")
    func oldestFirst() throws {
        #expect(try evicted(free: 10 * Self.gigabyte, total: 16, missing: 16) == ["old"])
        #expect(try evicted(free: 0, total: 16, missing: 16) == ["old", "new"])
    }

    @Test("A limit of all models together holds although the disk has room, for a warm model, too")
    func limited() throws {
        let free = 100 * Self.gigabyte
        #expect(try evicted(free: free, limit: 30 * Self.gigabyte, total: 16, missing: 16) == ["old"])
        #expect(try evicted(free: free, limit: 16 * Self.gigabyte, total: 16, missing: 0) == ["old", "new"])
    }

    @Test("A model that does not fit at all is refused before a byte is fetched, and nothing goes for it")
    func tooLarge() {
        #expect { try evicted(free: 0, total: 40, missing: 40) } throws: { error in
            (error as? FailureReport)?.failure == .localStorage
        }
        #expect { try evicted(free: nil, limit: Self.gigabyte, total: 2, missing: 2) } throws: { error in
            (error as? FailureReport)?.message.contains("CROSSLOGIC_MODEL_CACHE_LIMIT") == true
        }
    }
}
