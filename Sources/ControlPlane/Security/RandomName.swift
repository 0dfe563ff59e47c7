internal import AgentCore
internal import FoundationEssentials

/// What the control plane makes up: names and tokens, from the kernel's random source.
enum RandomName {
    /// 80 bits, enough never to meet twice, in letters that survive a URL, a DNS label and a terminal.
    static func nodeID() -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567")
        return "node-" + randomBytes(16).map { String(alphabet[Int($0 & 31)]) }.joined()
    }

    /// 256 bits as base64url without padding.
    static func nodeToken() -> Secret {
        let base64 = Data(randomBytes(32)).base64EncodedString()
        return Secret(
            String(
                base64.compactMap { character -> Character? in
                    switch character {
                    case "+": "-"
                    case "/": "_"
                    case "=": nil
                    default: character
                    }
                }))
    }

    private static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
