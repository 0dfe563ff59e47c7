internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

/// Random scripts of what happens to a log, run on real files and on a model of them.
@Suite(.timeLimit(.minutes(2)))
struct LogModelTests {
    @Test(
        "After any script of writes, rotations, cuts, deletions and restarts the reader has what the model has",
        arguments: 1...10)
    func scripts(batch: UInt64) async throws {
        for seed in (batch * 1000)..<(batch * 1000 + 20) { try await run(seed, withLink: false) }
    }

    @Test("The same behind a link that is pointed elsewhere in between", arguments: 1...5)
    func linkScripts(batch: UInt64) async throws {
        for seed in (batch * 1000)..<(batch * 1000 + 20) { try await run(seed, withLink: true) }
    }

    private func run(_ seed: UInt64, withLink: Bool) async throws {
        var random = SeededGenerator(seed: seed)
        var model = LogModel()
        var script: [LogAction] = []
        var log = try LogOnDisk(withLink: withLink)
        for _ in 0..<60 {
            let action = LogAction.random(withLink: withLink, using: &random)
            script.append(action)
            let isRead = action == .read || action == .restart
            let expected = isRead ? model.readAll() : []
            model.apply(action)
            let read = isRead ? await log.read(expected.count) : []
            try await log.perform(action)
            guard read == expected else {
                Issue.record("seed \(seed): \(read.count) of \(expected.count) bytes or others, after \(script)")
                return
            }
        }
        let (expected, rest) = (model.readAll(), await log.rest())
        if rest != expected {
            Issue.record("seed \(seed): \(rest.count) of \(expected.count) bytes or others at the end of \(script)")
        }
    }
}

/// A log in a folder of its own, and its reader.
private struct LogOnDisk {
    private let folder = TemporaryFolder()
    private let source: InotifyLogSource
    private let path: String
    private let withLink: Bool
    private var target: String
    private var rotated: String
    private var follower: any EngineLogFollower
    private var given: Int64 = 0
    private var checkpoint: LogCheckpoint?

    init(withLink: Bool) throws {
        self.withLink = withLink
        path = folder.file("vllm.log")
        source = InotifyLogSource(links: withLink ? .followed : .refused)
        (target, rotated) = withLink ? ("real/vllm-0.log", "real/vllm.old") : ("vllm.log", "vllm.log.1")
        if withLink {
            mkdir(folder.file("real"), 0o700)
            symlink(target, path)
        }
        follower = try source.follow(path)
    }

    mutating func read(_ count: Int) async -> [UInt8] {
        let bytes = await follower.bytes(count, deadline: .seconds(10))
        given += Int64(bytes.count)
        checkpoint = await follower.checkpoint(behind: given) ?? checkpoint
        return bytes
    }

    func rest() async -> [UInt8] { await follower.rest() }

    mutating func perform(_ action: LogAction) async throws {
        switch action {
        case .write(let bytes): folder.append(bytes, to: target)
        case .rotate: rename(folder.file(target), folder.file(rotated))
        case .copyTruncate:
            guard let bytes = folder.bytes(of: target) else { return }
            unlink(folder.file(rotated))
            folder.append(bytes, to: rotated)
            truncate(folder.file(target), 0)
        case .writeRotated(let bytes):
            if access(folder.file(rotated), F_OK) == 0 { folder.append(bytes, to: rotated) }
        case .create: folder.append([], to: target)
        case .truncate(let size):
            var status = stat()
            if stat(folder.file(target), &status) == 0, status.st_size > size { truncate(folder.file(target), size) }
        case .delete: unlink(folder.file(target))
        case .relink(let number):
            target = "real/vllm-\(number).log"
            symlink(target, folder.file("new"))
            rename(folder.file("new"), path)
        case .read: break
        case .restart: try restart()
        }
    }

    private mutating func restart() throws {
        guard let checkpoint else { return }
        follower = try source.follow(path, from: .checkpoint(checkpoint))
        given = 0
    }
}

extension TemporaryFolder {
    func bytes(of name: String) -> [UInt8]? {
        guard let file = fopen(self.file(name), "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }
}
