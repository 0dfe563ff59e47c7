internal import AgentCore
internal import Testing

@Suite("Processors that the agent keeps to")
struct OwnProcessorsTests {
    @Test(
        "The last two of more than two, whatever their numbers; all of fewer",
        arguments: [
            ([Int32](0..<16), [Int32]?.some([14, 15])), ([2, 5, 9], [5, 9]), ([0, 1], nil), ([7], nil), ([], nil),
        ])
    func choice(_ allowed: [Int32], _ chosen: [Int32]?) {
        #expect(OwnProcessors.chosen(of: allowed) == chosen)
    }
}
