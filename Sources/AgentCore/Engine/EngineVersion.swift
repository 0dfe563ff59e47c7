/// A released version such as `0.32.0+cpu`, `0.8.5.post2` or `0.11.0rc1`, compared by its numbers alone.
package struct EngineVersion: Equatable, Comparable, Sendable, CustomStringConvertible {
    package let text: String
    private let numbers: [Int]

    /// nil when the text does not begin with a number.
    package init?(_ text: some StringProtocol) {
        var numbers: [Int] = []
        for part in text.prefix(while: { $0 != "+" && $0 != "-" }).split(separator: ".") {
            let digits = part.prefix { $0.isASCII && $0.isNumber }
            guard let number = Int(digits), number < 1_000_000 else { break }
            numbers.append(number)
            // `0rc1`, `0a2`: the rest is a pre-release mark.
            if digits.count != part.count { break }
        }
        guard !numbers.isEmpty else { return nil }
        self.text = String(text)
        self.numbers = numbers
    }

    package init(_ major: Int, _ minor: Int, _ patch: Int = 0) {
        numbers = [major, minor, patch]
        text = "\(major).\(minor).\(patch)"
    }

    package var description: String { text }

    package static func < (left: EngineVersion, right: EngineVersion) -> Bool {
        for index in 0..<max(left.numbers.count, right.numbers.count) {
            let (one, other) = (left.number(index), right.number(index))
            if one != other { return one < other }
        }
        return false
    }

    package static func == (left: EngineVersion, right: EngineVersion) -> Bool {
        !(left < right) && !(right < left)
    }

    private func number(_ index: Int) -> Int {
        index < numbers.count ? numbers[index] : 0
    }
}
