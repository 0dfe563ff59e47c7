/// What others put before every line of the engine's log: container runtimes, the journal, Docker Compose.
///
/// ```
/// 2026-11-21T18:00:00.000000000Z …               docker logs -t
/// 2026-11-21T18:00:00.000000000Z stdout F …      Kubernetes log files
/// 2026-11-21T18:00:00+0000 host vllm[812]: …     journalctl -o short-iso
/// Nov 21 18:00:00 host vllm[812]: …              journalctl, syslog
/// vllm-1  | …                                    docker compose
/// ```
enum LogEnvelope {
    static func skip(_ bytes: Span<UInt8>, _ at: inout Int) {
        guard let first = bytes.byte(0) else { return }
        if first.isDigit {
            if bytes.byte(10) == UInt8(ascii: "T") { skipZonedTime(bytes, &at) }
        } else if first.isLetter {
            if bytes.byte(3) == .space, bytes.byte(6) == .space {
                skipSyslog(bytes, &at)
            } else {
                skipCompose(bytes, &at)
            }
        }
    }

    private static func skipZonedTime(_ bytes: Span<UInt8>, _ at: inout Int) {
        var index = at
        guard LogTime.skipDateTime(bytes, &index), bytes.byte(index) == .space else { return }
        index += 1
        if bytes.starts(with: "stdout ", at: index) || bytes.starts(with: "stderr ", at: index) {
            index += 7
            if bytes.byte(index + 1) == .space { index += 2 }
        } else {
            skipHostAndProgram(bytes, &index)
        }
        at = index
    }

    private static func skipSyslog(_ bytes: Span<UInt8>, _ at: inout Int) {
        var index = at + 7
        guard LogTime.skipTimeOfDay(bytes, &index), bytes.byte(index) == .space else { return }
        index += 1
        guard skipHostAndProgram(bytes, &index) else { return }
        at = index
    }

    /// `host vllm[812]: `
    @discardableResult
    private static func skipHostAndProgram(_ bytes: Span<UInt8>, _ at: inout Int) -> Bool {
        guard let space = bytes.firstIndex(of: .space, from: at, before: at + 64),
            let mark = bytes.firstIndex(of: "]: ", from: space), mark - space < 64,
            bytes.byte(mark - 1)?.isDigit == true, bytes.firstIndex(of: .space, from: space + 1, before: mark) == nil
        else { return false }
        at = mark + 3
        return true
    }

    /// A container's name, padded with spaces, and a bar.
    private static func skipCompose(_ bytes: Span<UInt8>, _ at: inout Int) {
        var index = at
        let end = min(bytes.count, 64)
        while index < end, bytes[index] > .space, bytes[index] != UInt8(ascii: ":") { index += 1 }
        guard index < end, bytes[index] == .space else { return }
        index = bytes.skip(.space, from: index)
        guard bytes.starts(with: "| ", at: index) else { return }
        at = index + 2
    }
}
