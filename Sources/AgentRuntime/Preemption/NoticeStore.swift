internal import AgentCore
internal import AgentWire
internal import Dispatch
internal import Locking

/// The notice on disk, so that an agent that is started again goes on with it.
final class NoticeStore: Sendable {
    private static let bootFile = "/proc/sys/kernel/random/boot_id"

    private let path: String
    private let files: any FileStore
    private let log: any OperatorLog
    /// Writes happen in the order in which they were wanted.
    private let order = QueueExecutor(label: "io.crosslogic.notice")
    private let boot: String

    init(settings: AgentSettings, ports: AgentPorts) {
        path = "\(settings.stateFolder)/notice.json"
        files = ports.files
        log = ports.log
        let bytes = (try? ports.files.read(Self.bootFile, limit: 64)) ?? nil
        boot = String(decoding: (bytes ?? []).prefix { $0 > 0x20 }, as: UTF8.self)
    }

    /// What an agent of this boot was told before; nil for what is no notice or of another boot.
    func recover() -> (notice: Notice, isOver: Bool)? {
        do throws(FileFailure) {
            guard let bytes = try files.read(path, limit: NoticeCodec.maximumBytes) else { return nil }
            return NoticeCodec.parse(bytes, boot: boot)
        } catch {
            log.write(.warning, "the notice of an earlier agent: \(error.message)")
            return nil
        }
    }

    func persist(_ notice: Notice, isOver: Bool) {
        let bytes = NoticeCodec.render(notice, isOver: isOver, boot: boot)
        // Means nothing after a reboot, so a power cut may take it: no sync to wait for.
        perform("keeping the notice") { files, path throws(FileFailure) in
            try files.writeForThisBoot(bytes, to: path, mode: 0o600)
        }
    }

    func forget() {
        perform("forgetting the notice") { files, path throws(FileFailure) in try files.remove(path) }
    }

    /// Returns when everything wanted before is written.
    func settle() async {
        await withCheckedContinuation { continuation in
            order.queue.async { continuation.resume() }
        }
    }

    private func perform(
        _ what: String, _ body: @escaping @Sendable (any FileStore, String) throws(FileFailure) -> Void
    ) {
        let (files, path, log) = (files, path, log)
        order.queue.async {
            do throws(FileFailure) {
                try body(files, path)
            } catch {
                log.write(.warning, "\(what): \(error.message)")
            }
        }
    }
}
