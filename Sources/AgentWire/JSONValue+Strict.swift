extension JSONValue {
    /// Parses a document in which no object may name a member twice: readers differ in which of the two counts
    /// (RFC 8259 §4), and what a node serves must not depend on the reader.
    package static func parseUnambiguous(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONValue {
        let value = try parse(bytes)
        var scanner = JSONScanner(bytes)
        try scanner.refuseDuplicates()
        return value
    }
}

extension JSONScanner {
    fileprivate mutating func refuseDuplicates() throws(JSONSyntaxError) {
        switch peek() {
        case UInt8(ascii: "{"):
            var names: Set<String> = []
            try members { (name, scanner) throws(JSONSyntaxError) in
                guard names.insert(name).inserted else {
                    throw JSONSyntaxError(reason: "the body names \"\(name.prefix(64))\" twice in one object")
                }
                try scanner.refuseDuplicates()
            }
        case UInt8(ascii: "["):
            try elements { (scanner) throws(JSONSyntaxError) in try scanner.refuseDuplicates() }
        default:
            try skipValue()
        }
    }
}
