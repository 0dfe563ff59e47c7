internal import AgentCore
internal import AgentWire
internal import Locking

/// The downloaded models of this machine: which are there, which make room, and what belongs to which content.
///
/// `<model folder>/<bucket>--<org>--<model>-<digest>/` holds one model, named so that people find it.
actor ModelCache {
    /// A model's folder, as it is and as it is to be.
    struct Folder: Sendable {
        var path: String
        var source: String
        var plan: DownloadPlan
        var record: ModelCacheRecord
    }

    private static let bootFile = "/proc/sys/kernel/random/boot_id"

    private let root: String
    private let limit: UInt64?
    private let files: any FileStore
    private let models: any ModelStorage
    private let clocks: any Clocks
    private let signer: any MessageSigner
    private let log: any OperatorLog
    /// Waits for disks.
    private let executor = QueueExecutor(label: "io.crosslogic.model-cache")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(settings: AgentSettings, ports: AgentPorts) {
        root = settings.modelFolder
        limit = settings.modelCacheLimit
        files = ports.files
        models = ports.models
        clocks = ports.clocks
        signer = ports.signer
        log = ports.log
    }

    /// What is there of a model and what is missing. Changes nothing.
    func survey(_ store: ObservedStore) throws(FailureReport) -> Folder {
        let source = "\(store.endpoint)/\(store.bucket)/\(store.prefix)"
        let path = "\(root)/\(folderName(store, source: source))"
        let boot = (try? files.read(Self.bootFile, limit: 64)).flatMap { $0 } ?? []
        let bootID = String(decoding: boot.prefix { $0 > 0x20 }, as: UTF8.self)
        let known = record(in: path).flatMap { $0.source == source ? $0 : nil }
        do throws(FileFailure) {
            let found = try models.sizes(below: path)
            let plan = DownloadPlan(
                wanted: ModelFile.wanted(of: store), record: known, found: found, boot: bootID)
            var record = ModelCacheRecord(source: source, boot: bootID, usedAt: clocks.wallTime())
            for file in plan.wanted where plan.whole.contains(file.name) || plan.begun[file.name] != nil {
                record.files[file.name] = .init(bytes: file.bytes, tag: file.tag, parts: plan.begun[file.name])
            }
            return Folder(path: path, source: source, plan: plan, record: record)
        } catch {
            throw DownloadTrouble(error).report
        }
    }

    /// The models that make room for this one, oldest first. Throws where all of them would not do.
    func evictions(for folder: Folder) throws(FailureReport) -> [CacheRoom.Model] {
        try CacheRoom(free: files.freeBytes(below: root), limit: limit, others: others(than: folder.path))
            .evictions(total: folder.plan.totalBytes, missing: folder.plan.missingBytes)
    }

    /// Makes room, and every file that is to be written.
    func open(_ folder: Folder) throws(FailureReport) {
        let evicted = try evictions(for: folder)
        do throws(FileFailure) {
            for model in evicted {
                log.write(.notice, "model cache: \(model.folder) (\(model.bytes) bytes) makes room")
                try models.removeFolder(model.folder)
            }
            for name in folder.plan.leftovers { try files.remove("\(folder.path)/\(name)") }
            try models.makeFolder(folder.path)
            for file in folder.plan.wanted
            where !folder.plan.whole.contains(file.name) && folder.plan.begun[file.name] == nil {
                try models.begin("\(folder.path)/\(file.name)\(ModelFile.partSuffix)", bytes: file.bytes)
            }
        } catch {
            throw DownloadTrouble(error).report
        }
        try keep(in: folder.path) { folder.record }
    }

    /// Of this boot only: what it tells is worth no sync.
    func keep(in folder: String, _ record: @Sendable () -> ModelCacheRecord) throws(FailureReport) {
        do throws(FileFailure) {
            let path = "\(folder)/\(ModelCacheCodec.fileName)"
            try files.writeForThisBoot(ModelCacheCodec.render(record()), to: path, mode: 0o600)
        } catch {
            throw DownloadTrouble(error).report
        }
    }

    private func others(than path: String) -> [CacheRoom.Model] {
        let names = (try? files.list(root)) ?? []
        return names.map { "\(root)/\($0)" }.filter { $0 != path }.compactMap { folder in
            // Only what this agent has written down is its to remove.
            guard let record = record(in: folder), let sizes = try? models.sizes(below: folder) else { return nil }
            return CacheRoom.Model(
                folder: folder, bytes: sizes.values.reduce(0) { $0 &+ $1 }, usedAt: record.usedAt)
        }
    }

    private func record(in folder: String) -> ModelCacheRecord? {
        let path = "\(folder)/\(ModelCacheCodec.fileName)"
        guard let bytes = (try? files.read(path, limit: ModelCacheCodec.maximumBytes)).flatMap({ $0 }) else {
            return nil
        }
        guard let record = ModelCacheCodec.parse(bytes) else {
            log.write(.warning, "\(path) cannot be used; what is in its folder is downloaded again")
            return ModelCacheRecord(source: "", boot: "", usedAt: 0)
        }
        return record
    }

    private func folderName(_ store: ObservedStore, source: String) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let digest = signer.sha256([UInt8](source.utf8)).prefix(8).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        let readable = "\(store.bucket)/\(store.prefix)".split(separator: "/").joined(separator: "--").utf8.map { byte in
            let isPlain =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
            return isPlain || byte == UInt8(ascii: ".") ? byte : UInt8(ascii: "_")
        }
        let name = String(decoding: readable.prefix(120), as: UTF8.self)
        return "\(name.hasPrefix(".") ? "_" : "")\(name)-\(String(decoding: digest, as: UTF8.self))"
    }
}
