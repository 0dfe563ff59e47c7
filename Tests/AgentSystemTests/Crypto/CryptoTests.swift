internal import AgentCore
internal import AgentSystem
internal import Testing

struct CryptoTests {
    @Test(
        "HMAC-SHA256 agrees with RFC 4231",
        arguments: [
            // §4.2, §4.3, §4.7 (a key longer than the block), and the empty key.
            (
                [UInt8](repeating: 0x0b, count: 20), "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xaa, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
            ([], "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
        ])
    func hmac(key: [UInt8], message: String, digest: String) {
        let bytes = OpenSSLMessageSigner().hmacSHA256(Array(message.utf8), key: key)
        #expect(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == digest)
    }

    @Test("Identifiers are 32 hexadecimal digits and never the same; fractions stay below one")
    func random() {
        let random = LinuxRandom()
        let identifiers = (0..<1000).map { _ in random.identifier() }
        #expect(Set(identifiers).count == 1000)
        #expect(identifiers.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy("0123456789abcdef".contains) })
        #expect((0..<1000).allSatisfy { _ in (0..<1).contains(random.fraction()) })
    }

    @Test("The boot clock never steps back, and the wall clock is past this code's writing")
    func clocks() {
        let clocks = LinuxClocks()
        let first = clocks.now()
        #expect(first.nanoseconds > 0)
        #expect(clocks.now() >= first)
        #expect(clocks.wallTime() > 1_760_000_000)
    }
}
