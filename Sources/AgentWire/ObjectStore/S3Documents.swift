package import AgentCore

/// A page of ListObjectsV2.
package struct S3Listing: Equatable, Sendable {
    /// Names are whole keys.
    package var objects: [StoredObject] = []
    /// Asks for the next page; nil on the last.
    package var continuation: String?

    /// The caller has bounded the bytes.
    package static func parse(_ bytes: [UInt8]) throws(StoreTrouble) -> S3Listing {
        var listing = S3Listing()
        var isTruncated = false
        try S3Document.read(bytes, root: "ListBucketResult") { path, fields throws(StoreTrouble) in
            switch path {
            case "Contents":
                guard let key = fields["Key"], let size = fields["Size"].flatMap({ UInt64($0) }) else {
                    throw .notUnderstood("an object of the listing has no key or no size")
                }
                listing.objects.append(
                    StoredObject(name: key, bytes: size, tag: fields["ETag"].flatMap(StoredObject.tag)))
            case "":
                isTruncated = fields["IsTruncated"] == "true"
                listing.continuation = fields["NextContinuationToken"]
            default: break
            }
        }
        if !isTruncated { listing.continuation = nil }
        guard !isTruncated || listing.continuation?.isEmpty == false else {
            throw .notUnderstood("the listing goes on, but does not say how")
        }
        return listing
    }

    /// S3's word for an error, such as `NoSuchBucket`; nil where the body says none.
    package static func errorCode(_ bytes: [UInt8]) -> String? {
        var code: String?
        try? S3Document.read(bytes, root: "Error") { path, fields throws(StoreTrouble) in
            if path.isEmpty { code = fields["Code"] }
        }
        guard let code, !code.isEmpty, code.utf8.count <= 64,
            code.utf8.allSatisfy({ UInt8(ascii: "!") <= $0 && $0 <= UInt8(ascii: "~") })
        else { return nil }
        return code
    }
}

extension StoredObject {
    /// An ETag without its quotes; nil for an empty one and for what is too long to be one.
    package static func tag(_ header: String) -> String? {
        let tag = header.filter { $0 != "\"" }
        return tag.isEmpty || tag.utf8.count > 128 ? nil : tag
    }
}

/// The two levels of S3's documents: a root, its fields, and elements of it with fields of their own.
private enum S3Document {
    /// Calls `visit` with the texts of each element below the root when it ends, and with those of the root itself
    /// (path empty) at last.
    static func read(
        _ bytes: [UInt8], root: String,
        _ visit: (_ path: String, _ fields: [String: String]) throws(StoreTrouble) -> Void
    ) throws(StoreTrouble) {
        var scanner = XMLScanner(bytes)
        var names: [String] = []
        var own: [String: String] = [:]
        var nested: [String: String] = [:]
        var text = ""
        while let piece = try next(&scanner) {
            switch piece {
            case .start(let name):
                guard !names.isEmpty || name == root else { throw .notUnderstood("answered <\(name)>, not <\(root)>") }
                names.append(name)
                text = ""
            case .text(let more): text += more
            case .end(let name):
                names.removeLast()
                switch names.count {
                case 0: return try visit("", own)
                case 1:
                    own[name] = text
                    try visit(name, nested)
                    nested = [:]
                case 2: nested[name] = text
                default: break
                }
                text = ""
            }
        }
        throw .notUnderstood("the body is empty")
    }

    private static func next(_ scanner: inout XMLScanner) throws(StoreTrouble) -> XMLScanner.Piece? {
        do {
            return try scanner.next()
        } catch {
            throw .notUnderstood("the answer is no XML: \(error.reason)")
        }
    }
}
