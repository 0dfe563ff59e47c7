internal import AgentWire
internal import Testing

@Suite struct CRC32Tests {
    @Test(
        "The values that everybody has",
        arguments: [("", "00000000"), ("123456789", "cbf43926"), ("a", "e8b7be43")])
    func known(text: String, sum: String) {
        #expect(CRC32.text(of: text.utf8) == sum)
    }
}
