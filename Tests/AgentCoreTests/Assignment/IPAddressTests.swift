internal import AgentCore
internal import Testing

@Suite struct IPAddressTests {
    @Test(
        "Addresses",
        arguments: [
            "0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "2001:db8:0:0:0:0:0:1", "1::",
            "::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "1:2:3:4:5:6:7::",
        ])
    func literals(text: String) {
        #expect(IPAddress.isLiteral(text))
    }

    @Test(
        "No addresses",
        arguments: [
            "", "localhost", "127.1", "127.0.0.256", "127.0.0.01", "127.0.0.+1", "1.2.3.4.5", ":", ":::", "1::2::3",
            "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "fe80::1%eth0", "12345::", "::1.2.3", ":1", "1:",
        ])
    func others(text: String) {
        #expect(!IPAddress.isLiteral(text))
    }
}
