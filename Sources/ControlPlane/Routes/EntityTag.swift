/// What a node was told, as a strong validator (RFC 9110 §8.8.3): the generation, and how often something was said about
/// the node's end.
enum EntityTag {
    static func of(_ assignment: StoredAssignment) -> String {
        of(generation: assignment.generation, endRevision: assignment.endRevision)
    }

    static func of(generation: Int64, endRevision: Int64) -> String {
        "\"\(generation)\(endRevision > 0 ? ".\(endRevision)" : "")\""
    }

    /// Whether `If-None-Match` lists it. The comparison is the weak one (RFC 9110 §13.1.2).
    static func isListed(_ wanted: String, in ifNoneMatch: String?) -> Bool {
        guard let ifNoneMatch else { return false }
        return ifNoneMatch.split(separator: ",").contains { item in
            let item = item.filter { !$0.isWhitespace }
            return item == "*" || item == wanted || item == "W/" + wanted
        }
    }
}
