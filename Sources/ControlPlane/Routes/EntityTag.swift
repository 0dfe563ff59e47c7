/// The generation of an assignment as a strong validator (RFC 9110 §8.8.3).
enum EntityTag {
    static func of(generation: Int64) -> String {
        "\"\(generation)\""
    }

    /// Whether `If-None-Match` lists it. The comparison is the weak one (RFC 9110 §13.1.2).
    static func isListed(_ generation: Int64, in ifNoneMatch: String?) -> Bool {
        guard let ifNoneMatch else { return false }
        let wanted = of(generation: generation)
        return ifNoneMatch.split(separator: ",").contains { item in
            let item = item.filter { !$0.isWhitespace }
            return item == "*" || item == wanted || item == "W/" + wanted
        }
    }
}
