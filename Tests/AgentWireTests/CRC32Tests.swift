internal import AgentWire
internal import Testing

@Suite struct CRC32Tests {
    @Test(
        "The values that everybody has",
        arguments: [("", "00000000"), ("123456789", "cbf43926"), ("The quick brown fox jumps over the lazy dog", "414fa339")])
    func known(text: String, sum: String) {
        #expect(CRC32.text(of: text.utf8) == sum)
    }
}
