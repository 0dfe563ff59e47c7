/// Takes known secrets out of text that others wrote, such as lines of the engine's log.
package struct Redaction: Sendable {
    private static let mark = [UInt8]("<redacted>".utf8)
    /// Bytes. A shorter value would be found in innocent words.
    private static let shortest = 6

    /// Longest first, so that a secret that contains another one is replaced whole.
    private let values: [[UInt8]]

    package init(_ secrets: [Secret]) {
        values = Set(secrets.map { [UInt8]($0.reveal().utf8) }).filter { $0.count >= Self.shortest }
            .sorted { $0.count > $1.count }
    }

    /// `text` with every known secret replaced, and with one at its end that was cut off by a limit.
    package func text(_ text: String) -> String {
        guard !values.isEmpty else { return text }
        let bytes = [UInt8](text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if let length = secretLength(in: bytes[index...]) {
                result += Self.mark
                index += length
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    package func report(_ report: FailureReport) -> FailureReport {
        var report = report
        report.message = text(report.message)
        report.evidence = report.evidence.map(text)
        return report
    }

    private func secretLength(in rest: ArraySlice<UInt8>) -> Int? {
        for value in values where value.first == rest.first {
            if rest.starts(with: value) { return value.count }
            if rest.count >= Self.shortest, value.starts(with: rest) { return rest.count }
        }
        return nil
    }
}

extension Assignment {
    /// Everything in it that must not be shown.
    package var secrets: [Secret] {
        [store.accessKeyID, store.secretAccessKey] + [store.sessionToken, callbackSecret].compactMap { $0 }
    }
}
