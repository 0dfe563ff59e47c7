/// The processors that an agent keeps to where an engine is not its child and so does not inherit them.
package enum OwnProcessors {
    /// As many as a small machine has: none of the agent's waiting was ever tried with fewer.
    static let wanted = 2

    /// The last ones, as devices interrupt the first; nil for all of them. `allowed` rises.
    package static func chosen(of allowed: [Int32]) -> [Int32]? {
        allowed.count > wanted ? Array(allowed.suffix(wanted)) : nil
    }
}
