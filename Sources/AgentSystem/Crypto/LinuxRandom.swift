internal import AgentCore

/// The kernel's random numbers, through the standard library (getrandom).
package struct LinuxRandom: RandomSource {
    package init() {}

    package func fraction() -> Double { .random(in: 0..<1) }

    package func identifier() -> String {
        var digits = ""
        for _ in 0..<2 {
            let half = String(UInt64.random(in: .min ... .max), radix: 16)
            digits += String(repeating: "0", count: 16 - half.count) + half
        }
        return digits
    }
}
