internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

/// Random scripts of what happens to a log, run on real files and on a model of them.
@Suite(.timeLimit(.minutes(2)))
struct LogModelTests {
    @Test(
        "After any script of writes, rotations, cuts and deletions the reader has what the model has", arguments: 1...30
    )
    func scripts(seed: UInt64) async throws {
        let folder = TemporaryFolder()
        var random = SeededGenerator(seed: seed)
        var model = LogModel()
        var script: [LogAction] = []
        let log = try InotifyLogSource().follow(folder.file("vllm.log"))
        for _ in 0..<200 {
            let action = LogAction.random(using: &random)
            script.append(action)
            model.apply(action)
            perform(action, in: folder)
            guard action == .read else { continue }
            let expected = model.readAll()
            var read: [UInt8] = []
            while read.count < expected.count {
                guard let chunk = await log.next() else { break }
                read += chunk
            }
            guard read == expected else {
                Issue.record("seed \(seed): \(read.count) of \(expected.count) bytes or others, after \(script)")
                return
            }
        }
    }

    private func perform(_ action: LogAction, in folder: TemporaryFolder) {
        let path = folder.file("vllm.log")
        switch action {
        case .write(let bytes): folder.append(bytes, to: "vllm.log")
        case .rotate: rename(path, folder.file("vllm.log.1"))
        case .writeRotated(let bytes):
            if access(folder.file("vllm.log.1"), F_OK) == 0 { folder.append(bytes, to: "vllm.log.1") }
        case .create: folder.append([], to: "vllm.log")
        case .truncate(let size):
            var status = stat()
            if stat(path, &status) == 0, status.st_size > size { truncate(path, size) }
        case .delete: unlink(path)
        case .read: break
        }
    }
}

enum LogAction: Equatable, CustomStringConvertible {
    case write([UInt8])
    /// Renames the log; the file renamed before is gone.
    case rotate
    /// Appends to the renamed file, as an engine does that has it open.
    case writeRotated([UInt8])
    case create
    /// Cuts to this size, if it is longer.
    case truncate(Int)
    case delete
    case read

    /// Bytes to write pieces of.
    private static let noise: [UInt8] = {
        var random = SeededGenerator(seed: 0)
        return (0..<1 << 19).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }()

    static func random(using random: inout SeededGenerator) -> LogAction {
        func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
            let count = Int.random(in: count, using: &random)
            let start = Int.random(in: 0..<1 << 17, using: &random)
            return Array(noise[start..<start + count])
        }
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<7: return .write(bytes(1...300))
        case 7: return .write(bytes(70_000...150_000))
        case 8, 9: return .rotate
        case 10: return .writeRotated(bytes(1...300))
        case 11: return .create
        case 12: return .truncate(0)
        case 13: return .truncate(Int.random(in: 1...200, using: &random))
        case 14: return .delete
        default: return .read
        }
    }

    var description: String {
        switch self {
        case .write(let bytes): "write \(bytes.count)"
        case .rotate: "rotate"
        case .writeRotated(let bytes): "write-rotated \(bytes.count)"
        case .create: "create"
        case .truncate(let size): "truncate \(size)"
        case .delete: "delete"
        case .read: "read"
        }
    }
}

/// What a reader by name can see at best: files are objects, names point at them.
struct LogModel {
    private final class File {
        var bytes: [UInt8] = []
    }

    private var named: File?
    private var rotated: File?
    private var open: File?
    private var offset = 0

    mutating func apply(_ action: LogAction) {
        switch action {
        case .write(let bytes): create().bytes += bytes
        case .rotate:
            guard let file = named else { return }
            rotated = file
            named = nil
        case .writeRotated(let bytes): rotated?.bytes += bytes
        case .create: _ = create()
        case .truncate(let size):
            if let file = named, file.bytes.count > size { file.bytes.removeSubrange(size...) }
        case .delete: named = nil
        case .read: break
        }
    }

    private mutating func create() -> File {
        let file = named ?? File()
        named = file
        return file
    }

    /// The rest of the file that is open, then the file that took its name.
    mutating func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        if let open {
            // Without bytes to tell, a reader does not look, and cannot see that a file was cut in between.
            if open.bytes.count < offset, !open.bytes.isEmpty || changesName { offset = 0 }
            if offset < open.bytes.count { bytes += take(open) }
        }
        if let named, named !== open, !named.bytes.isEmpty {
            open = named
            offset = 0
            bytes += take(named)
        }
        return bytes
    }

    private var changesName: Bool { named != nil && named !== open && named?.bytes.isEmpty == false }

    private mutating func take(_ file: File) -> [UInt8] {
        defer { offset = file.bytes.count }
        return Array(file.bytes[min(offset, file.bytes.count)...])
    }
}
