internal import AgentCore
internal import AgentSystem
internal import Glibc

/// The agent's reading of a log without the agent, for `scripts/bench log`. Not shipped.
///
/// `scan FILE` reads a file as fast as it goes; `follow FILE` follows one as the agent does and prints a line for every
/// fact, and one for every 64 MiB.
@main
enum LogBench {
    private static let chunkSize = 1 << 16
    private static let progressEvery: Int64 = 64 << 20

    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 2, let mode = arguments.first, let path = arguments.last else {
            fail("usage: log-bench scan|follow FILE")
        }
        switch mode {
        case "scan": scan(path)
        case "follow": await follow(path)
        default: fail("log-bench: there is no \(mode)")
        }
    }

    private static func scan(_ path: String) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file != -1 else { fail("log-bench: \(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var reader = EngineLogReader()
        var (bytes, facts) = (0, 0)
        while case let chunk = nextChunk(file), !chunk.isEmpty {
            facts += reader.feed(chunk).count
            bytes += chunk.count
        }
        say("bytes=\(bytes) facts=\(facts) unknown_lines=\(reader.unknownLines) cpu_s=\(cpuSeconds())")
    }

    private static func nextChunk(_ file: Int32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: chunkSize) { buffer, count in
            count = max(0, read(file, buffer.baseAddress, buffer.count))
        }
    }

    private static func follow(_ path: String) async {
        let log: any EngineLogFollower
        do throws(FailureReport) {
            log = try InotifyLogSource().follow(path)
        } catch {
            fail("log-bench: \(error.message)")
        }
        var reader = EngineLogReader()
        var bytes: Int64 = 0
        say("following")
        while let chunk = await log.next() {
            for fact in reader.feed(chunk) {
                // The bench asks with this one; the others are there to be read.
                if case .weightsLoaded(let seconds) = fact { say("fact \(Int(seconds)) at \(nanoseconds())") }
            }
            _ = reader.unfinishedProgress()
            let before = bytes / progressEvery
            bytes += Int64(chunk.count)
            if bytes / progressEvery > before { say("read \(bytes / progressEvery * progressEvery)") }
        }
    }

    /// Of `CLOCK_MONOTONIC`, which Python's `time.monotonic_ns` reads as well.
    private static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func cpuSeconds() -> Double {
        Double(clock()) / Double(CLOCKS_PER_SEC)
    }

    private static func fail(_ message: String) -> Never {
        say(message, to: STDERR_FILENO)
        exit(2)
    }

    /// At once, and whole: who asks waits for it.
    private static func say(_ line: String, to descriptor: Int32 = STDOUT_FILENO) {
        let bytes = Array("\(line)\n".utf8)
        _ = write(descriptor, bytes, bytes.count)
    }
}
