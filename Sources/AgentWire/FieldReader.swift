package import AgentCore

/// Reads the fields of one JSON object and collects *every* fault on the way.
package struct FieldReader {
    private let fields: [String: JSONValue]
    private let path: String
    package private(set) var faults: [FieldFault] = []

    /// A value that is no object is one fault, and every field then reads as absent.
    package init(_ value: JSONValue, path: String = "") {
        self.path = path
        if case .object(let fields) = value {
            self.fields = fields
        } else {
            fields = [:]
            faults = [FieldFault(field: path.isEmpty ? "body" : path, problem: "must be an object, not \(value.kind)")]
        }
    }

    package mutating func fault(_ name: String, _ problem: String) {
        faults.append(FieldFault(field: qualified(name), problem: problem))
    }

    package mutating func absorb(_ nested: FieldReader) {
        faults.append(contentsOf: nested.faults)
    }

    /// The value, where present and not null.
    package func value(_ name: String) -> JSONValue? {
        guard let value = fields[name], value != .null else { return nil }
        return value
    }

    package mutating func string(_ name: String, maximumLength: Int = 1024) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.stringValue else {
            fault(name, "must be a string, not \(value.kind)")
            return nil
        }
        guard text.utf8.count <= maximumLength else {
            fault(name, "is \(text.utf8.count) bytes long, at most \(maximumLength) are allowed")
            return nil
        }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            fault(name, "contains a control character")
            return nil
        }
        return text
    }

    package mutating func requiredString(_ name: String, maximumLength: Int = 1024) -> String? {
        guard value(name) != nil else {
            fault(name, "is missing")
            return nil
        }
        let text = string(name, maximumLength: maximumLength)
        if text?.isEmpty == true {
            fault(name, "must not be empty")
            return nil
        }
        return text
    }

    package mutating func integer(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = value(name) else { return nil }
        guard let number = value.integerValue else {
            fault(name, "must be an integer, not \(value.kind)")
            return nil
        }
        guard range.contains(number) else {
            fault(name, "is \(number), must be between \(range.lowerBound) and \(range.upperBound)")
            return nil
        }
        return number
    }

    package mutating func requiredInteger(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard value(name) != nil else {
            fault(name, "is missing")
            return nil
        }
        return integer(name, in: range)
    }

    package mutating func number(_ name: String) -> Double? {
        guard let value = value(name) else { return nil }
        guard let number = value.numberValue, number.isFinite else {
            fault(name, "must be a number, not \(value.kind)")
            return nil
        }
        return number
    }

    package mutating func bool(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value.boolValue else {
            fault(name, "must be true or false, not \(value.kind)")
            return nil
        }
        return flag
    }

    package mutating func strings(_ name: String, maximumCount: Int, maximumLength: Int = 1024) -> [String]? {
        guard let value = value(name) else { return nil }
        guard let items = value.arrayValue else {
            fault(name, "must be an array of strings, not \(value.kind)")
            return nil
        }
        guard items.count <= maximumCount else {
            fault(name, "has \(items.count) items, at most \(maximumCount) are allowed")
            return nil
        }
        var texts: [String] = []
        for (index, item) in items.enumerated() {
            guard let text = item.stringValue, text.utf8.count <= maximumLength else {
                fault("\(name)[\(index)]", "must be a string of at most \(maximumLength) bytes")
                continue
            }
            texts.append(text)
        }
        return texts
    }

    private func qualified(_ name: String) -> String {
        path.isEmpty ? name : "\(path).\(name)"
    }
}
