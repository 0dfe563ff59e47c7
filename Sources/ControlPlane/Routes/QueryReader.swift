internal import AgentCore
internal import Hummingbird

/// Reads the parameters behind `?` and collects every fault on the way.
struct QueryReader {
    private let request: Request
    private var faults: [FieldFault] = []

    init(_ request: Request) {
        self.request = request
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int64>, default fallback: Int64) -> Int64 {
        guard let text = text(name) else { return fallback }
        guard let number = Int64(text), range.contains(number) else {
            let problem = "must be an integer between \(range.lowerBound) and \(range.upperBound)"
            faults.append(FieldFault(field: name, problem: problem))
            return fallback
        }
        return number
    }

    func text(_ name: String) -> String? {
        request.uri.queryParameters[name[...]].map(String.init)
    }

    /// - Throws: `Problem` 400 with every bad parameter.
    func finish() throws(Problem) {
        guard faults.isEmpty else {
            throw Problem.badRequest("\(faults.count) query parameter(s) must be corrected", faults: faults)
        }
    }
}
