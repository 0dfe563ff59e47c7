internal import AgentCore
internal import Glibc

/// Why a log cannot be explained, in one line.
struct LogUnreadable: Error {
    var message: String
}

/// Reads a log of any size in pieces.
enum LogFile {
    private static let piece = 256 * 1024
    /// This much of the beginning tells text from anything else.
    private static let sample = 8192

    static func explain(_ path: String) throws(LogUnreadable) -> StartExplanation {
        if path == "-" { return try explain(STDIN_FILENO, name: "standard input") }
        // Non-blocking, so that a FIFO nobody writes to is an empty file and not a wait for ever.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else { throw refusal(path, errno) }
        defer { close(descriptor) }
        return try explain(descriptor, name: path)
    }

    private static func explain(_ descriptor: Int32, name: String) throws(LogUnreadable) -> StartExplanation {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw refusal(name, errno) }
        if status.st_mode & S_IFMT == S_IFDIR { throw LogUnreadable(message: "\(name) is a directory, not a log") }
        var explainer = LogExplainer()
        var isFirst = true
        while true {
            var bytes = try read(descriptor, name)
            if bytes.isEmpty { break }
            if isFirst {
                // A file that was truncated under its writer begins with any number of NULs.
                bytes = Array(bytes.drop { $0 == 0 })
                if bytes.isEmpty { continue }
                if isBinary(bytes.prefix(sample)) {
                    throw LogUnreadable(message: "\(name) is a binary file, not a log")
                }
                isFirst = false
            }
            explainer.feed(bytes)
        }
        if isFirst { throw LogUnreadable(message: "\(name) is empty") }
        return explainer.finish()
    }

    /// Empty at the end of the file.
    private static func read(_ descriptor: Int32, _ name: String) throws(LogUnreadable) -> [UInt8] {
        while true {
            var code: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: piece) { buffer, count in
                let got = Glibc.read(descriptor, buffer.baseAddress, piece)
                code = got < 0 ? errno : 0
                count = max(0, got)
            }
            if code == 0 { return bytes }
            if code == EAGAIN {
                try waitForBytes(descriptor, name)
            } else if code != EINTR {
                throw refusal(name, code)
            }
        }
    }

    /// Standard input can be a pipe that its writer made non-blocking.
    private static func waitForBytes(_ descriptor: Int32, _ name: String) throws(LogUnreadable) {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if poll(&waiting, 1, -1) < 0, errno != EINTR { throw refusal(name, errno) }
    }

    private static func refusal(_ name: String, _ code: Int32) -> LogUnreadable {
        LogUnreadable(message: "\(name) cannot be read: \(String(cString: strerror(code)))")
    }

    /// Text has next to no NULs and control characters, and is UTF-8 but for a damaged byte.
    static func isBinary(_ sample: ArraySlice<UInt8>) -> Bool {
        let harmless: Set<UInt8> = [0x07, 0x08, 0x09, 0x0A, 0x0C, 0x0D, 0x1B]
        let controls = sample.count { $0 < 0x20 && !harmless.contains($0) }
        // The sample may end in the middle of a character.
        let broken = String(decoding: sample, as: UTF8.self).unicodeScalars.count { $0 == "\u{FFFD}" }
        return controls * 50 > sample.count || (broken - 1) * 20 > sample.count
    }
}
