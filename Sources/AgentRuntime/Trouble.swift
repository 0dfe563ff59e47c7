/// Something that goes wrong again and again and is said once: when it begins, and when it is over.
struct Trouble: Equatable, Sendable {
    private var isThere = false

    /// True when it was not there before.
    mutating func begin() -> Bool {
        defer { isThere = true }
        return !isThere
    }

    /// True when it was there until now.
    mutating func end() -> Bool {
        defer { isThere = false }
        return isThere
    }
}
