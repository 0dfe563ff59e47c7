/// What the link allows, whatever the agent or the engine do.
package struct LinkExpectation: Equatable, Sendable {
    /// Bits a second.
    package var speed: Double
    /// Why this is the link's speed.
    package var reason: String
    package var seconds: Double

    /// AWS lets an instance of fewer than 32 vCPUs reach the internet with 5 Gbit/s, a larger one with half of its
    /// bandwidth ("Amazon EC2 instance network bandwidth"). R2 is the internet.
    package init?(_ facts: NodeFacts, provider: String?, bytes: UInt64) {
        guard bytes > 0 else { return nil }
        let isAWS = provider?.lowercased() == "aws"
        switch (facts.linkSpeed, isAWS, facts.cores) {
        case (let nic, true, let cores?) where cores < 32:
            speed = min(5e9, nic ?? 5e9)
            reason = "AWS caps internet traffic of instances below 32 vCPUs"
        case (let nic?, true, _):
            speed = nic / 2
            reason = "AWS gives internet traffic half of the interface"
        case (let nic?, false, _):
            speed = nic
            reason = "the interface's own speed"
        case (nil, _, _): return nil
        }
        seconds = Double(bytes) * 8 / speed
    }

    package func finding(weightBytes: UInt64, ranks: Int, target: LoadTarget?) -> PreflightFinding {
        let copies = ranks > 1 ? ", once for each of \(ranks) ranks" : ""
        let message =
            "\(StoreJudge.gigabytes(weightBytes))\(copies) over a \(Self.tenths(speed / 1e9)) Gbit/s link (\(reason)): not"
            + " below \(Self.tenths(seconds)) s"
        guard let target, seconds > target.seconds else { return .ok(.link, message) }
        return .warn(
            .link, nil, "\(message); the \(Int(target.seconds)) s target cannot be met on this machine",
            remedy: "Use a machine with a faster link, or a quantised model: FP8 halves the bytes, 4 bits quarter them."
        )
    }

    static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? String(tenths / 10) : "\(tenths / 10).\(tenths % 10)"
    }
}

/// The load times that the product promises, by size: 7B below 10 s, 13B below 15 s, 70B below 30 s, in bfloat16.
package struct LoadTarget: Equatable, Sendable {
    package var seconds: Double

    package init?(weightBytes: UInt64) {
        switch Double(weightBytes) / 1e9 {
        case ..<18: seconds = 10
        case ..<32: seconds = 15
        case ..<150: seconds = 30
        default: return nil
        }
    }
}
