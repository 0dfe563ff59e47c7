internal import AgentCore
internal import AgentWire
internal import Locking

/// Brings the engine's caches from the store before a start, and what a first start has made there.
///
/// Whatever goes wrong here costs a compilation and nothing else: it is said, and never in the way.
actor CarriedCaches {
    /// A start that can be compared with what is carried.
    private struct Start {
        var generation: Int64
        var key: CacheKey
        var store: CacheStore
        var secret: Secret
        var outcome = CacheRestoration.late
        var restored: CacheManifest?
    }

    /// An exec waits this long and no longer; preflight, which runs at the same time, has half of it.
    private let patience: Duration
    private static let parallel = 4

    private let settings: AgentSettings
    private let ports: AgentPorts
    private let signs = Mutex(CompileSigns())
    /// The start that comes next, or the engine of it, until that is settled.
    private var start: Start?
    /// Brought beside an engine that serves, for the one that follows it.
    private var ahead: Start?
    private var fetching: Start?
    private var isSettling = false
    /// Waits for disks, so it has a queue of its own.
    private let executor = QueueExecutor(label: "io.crosslogic.carried-caches")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(settings: AgentSettings, ports: AgentPorts, patience: Duration = .seconds(10)) {
        self.patience = patience
        self.settings = settings
        self.ports = ports
    }

    nonisolated func note(_ fact: LogFact) {
        signs.withLock { $0.note(fact) }
    }

    // MARK: Before a start

    func restore(for assignment: Assignment, on install: EngineInstall?) async {
        start = nil
        signs.withLock { $0 = CompileSigns() }
        let known = ahead
        ahead = nil
        if let known, known.generation == assignment.generation {
            start = known
        } else {
            start = await bring(for: assignment, on: install)
        }
    }

    /// The same while another engine serves, so that nobody waits for it when that has made way. Not before what that
    /// one has compiled is packed, which could not be told apart from this.
    func restoreAhead(for assignment: Assignment, on install: EngineInstall?) async {
        ahead = nil
        guard start == nil, !isSettling else { return }
        let brought = await bring(for: assignment, on: install)
        if !Task.isCancelled { ahead = brought }
    }

    /// nil where nothing is carried, or not even a key can be had.
    private func bring(for assignment: Assignment, on install: EngineInstall?) async -> Start? {
        guard let caches = settings.caches, let carrier = ports.cacheCarrier, let install else { return nil }
        let begun = ports.clocks.now()
        let outcome = await withTaskGroup(of: CacheRestoration.self) { group in
            group.addTask { await self.fetch(assignment, install, caches, carrier) }
            group.addTask {
                try? await Task.sleep(for: self.patience)
                return .late
            }
            let first = await group.next() ?? .late
            group.cancelAll()
            return first
        }
        defer { fetching = nil }
        fetching?.outcome = outcome
        if !Task.isCancelled { tell(outcome, seconds: (ports.clocks.now() - begun).inSeconds) }
        return fetching
    }

    private func fetch(
        _ assignment: Assignment, _ install: EngineInstall, _ caches: CacheSettings, _ carrier: any CacheCarrier
    ) async -> CacheRestoration {
        do throws(CacheTrouble) {
            let reader = CacheKeyReader(settings: settings, ports: ports)
            let key = try await reader.key(of: assignment, on: install)
            let store = reader.store(caches, assignment)
            fetching = Start(generation: assignment.generation, key: key, store: store, secret: caches.signingKey)
            guard
                let bytes = try await asking({ () async throws(StoreTrouble) in
                    try await store.manifest(key.digest, deadline: self.patience)
                })
            else { return .absent }
            let manifest = try believing(bytes, key.digest, caches.signingKey, ports.signer)
            try await filing { () async throws(FileFailure) in try await carrier.prepareIncoming() }
            try await fetchParts(of: manifest, from: store, into: carrier.incoming)
            let index = Array(manifest.bundle.lines.joined(separator: "\n").utf8)
            try write(index, to: "\(carrier.incoming)/index")
            try await filing { () async throws(FileFailure) in try await carrier.unpack() }
            fetching?.restored = manifest
            return .restored(files: manifest.bundle.files.count, bytes: manifest.bundle.bytes)
        } catch {
            return switch error {
            case .refused(let fault): .refused(fault)
            case .failed(let reason): .failed(reason)
            }
        }
    }

    /// A few at a time, each held against its hash before it touches the disk.
    private func fetchParts(
        of manifest: CacheManifest, from store: CacheStore, into folder: String
    ) async throws(CacheTrouble) {
        var next = 0
        while next < manifest.parts.count {
            let numbers = next..<min(next + Self.parallel, manifest.parts.count)
            let parts = await withTaskGroup(of: (Int, Result<[UInt8], StoreTrouble>).self) { group in
                for number in numbers {
                    group.addTask { [patience] in
                        (number, await Self.part(number, of: manifest, from: store, patience))
                    }
                }
                var parts: [(Int, Result<[UInt8], StoreTrouble>)] = []
                for await part in group { parts.append(part) }
                return parts
            }
            for (number, part) in parts {
                let bytes: [UInt8]
                switch part {
                case .success(let received): bytes = received
                case .failure(let trouble): throw .failed(trouble.words)
                }
                guard Hexadecimal.text(ports.signer.sha256(bytes)) == manifest.parts[number] else {
                    throw .refused(CacheFault("a part \(number) that is not what was signed"))
                }
                try write(bytes, to: "\(folder)/\(CacheFiles.part(number))")
            }
            next = numbers.upperBound
        }
    }

    private static func part(
        _ number: Int, of manifest: CacheManifest, from store: CacheStore, _ patience: Duration
    ) async -> Result<[UInt8], StoreTrouble> {
        do throws(StoreTrouble) {
            let bytes = manifest.bundle.bytes(ofPart: number)
            return .success(
                try await store.part(manifest.key, manifest.parts[number], bytes: bytes, deadline: patience))
        } catch {
            return .failure(error)
        }
    }

    private func tell(_ outcome: CacheRestoration, seconds: Double) {
        let took = "\((seconds * 10).rounded() / 10) s"
        switch outcome {
        case .absent: ports.log.write(.info, "carried caches: none for this start yet")
        case .restored(let files, let bytes):
            ports.log.write(.notice, "carried caches: \(files) files, \(bytes) bytes in place after \(took)")
        case .refused(let fault):
            ports.log.write(.error, "carried caches are not used: what is in the store has \(fault.reason)")
        case .failed(let reason): ports.log.write(.warning, "carried caches are not used: \(reason)")
        case .late: ports.log.write(.warning, "carried caches are not used: not there after \(took)")
        }
    }

    // MARK: After READY

    /// Says whether the carried caches were used; carries what this start has made where there were none.
    func settle(_ say: @Sendable (Int64, CacheVerdict) -> Void) async {
        guard let start, let caches = settings.caches, let carrier = ports.cacheCarrier else { return }
        self.start = nil
        isSettling = true
        defer { isSettling = false }
        do throws(CacheTrouble) {
            let packed: CacheBundle
            do throws(CacheTrouble) {
                packed = try await pack(with: carrier)
            } catch {
                say(start.generation, verdict(on: start, without: error))
                throw error
            }
            let writer = CacheWriter(
                store: start.store, key: start.key, ports: ports, caches: caches, folder: carrier.outgoing)
            let verdict = try await verdict(on: start, packed, writer, carrier)
            say(start.generation, verdict)
            try await carry(start, packed, verdict, writer)
        } catch {
            if !Task.isCancelled { ports.log.write(.warning, "caches are not carried: \(error.words)") }
        }
        await carrier.clean()
    }

    private func pack(with carrier: any CacheCarrier) async throws(CacheTrouble) -> CacheBundle {
        try await filing { () async throws(FileFailure) in try await carrier.pack() }
        return try index(in: carrier.outgoing)
    }

    /// What the engine has made cannot be looked at; its log may have told enough.
    private func verdict(on start: Start, without trouble: CacheTrouble) -> CacheVerdict {
        guard start.restored != nil else { return CacheVerdict(after: start.outcome, key: start.key.digest) }
        let signs = signs.withLock { $0 }
        guard signs.loaded, !signs.compiled else {
            return CacheVerdict(.failed, key: start.key.digest, reason: trouble.words)
        }
        var verdict = CacheVerdict(after: start.outcome, key: start.key.digest)
        verdict.judge(.loaded)
        return verdict
    }

    private func verdict(
        on start: Start, _ packed: CacheBundle, _ writer: CacheWriter, _ carrier: any CacheCarrier
    ) async throws(CacheTrouble) -> CacheVerdict {
        var verdict = CacheVerdict(after: start.outcome, key: start.key.digest)
        if let restored = start.restored {
            let use = CacheUse(signs.withLock { $0 }, carried: restored.bundle.files, present: packed.files)
            verdict.judge(use)
            guard case .compiled = use else { return verdict }
            let names = CompileFactors.differences(
                carried: factors(restored.bundle, carrier.incoming), present: factors(packed, carrier.outgoing))
            verdict.name(differences: names)
        } else if case .absent = start.outcome, let names = try await writer.nearest() {
            verdict.name(differences: names)
        }
        return verdict
    }

    private func carry(
        _ start: Start, _ packed: CacheBundle, _ verdict: CacheVerdict, _ writer: CacheWriter
    ) async throws(CacheTrouble) {
        switch verdict.outcome {
        case .used, .unproven:
            if let restored = start.restored { try await writer.touch(restored) }
        case .notUsed, .absent, .refused: try await writer.carry(packed)
        // There is something that could not be fetched: only who can read it may replace it.
        case .failed, .late: break
        }
    }

    /// vLLM's own account of what its keys were made of; small, and where the compiler of vLLM was used.
    private func factors(_ bundle: CacheBundle, _ folder: String) -> [CompileFactors] {
        CacheFiles.contents(of: bundle, named: "cache_key_factors.json", in: folder, ports.files)
            .compactMap { CompileFactors($0) }
    }

    private func index(in folder: String) throws(CacheTrouble) -> CacheBundle {
        do {
            let bytes = try ports.files.read("\(folder)/index", limit: CacheBundle.maximumTextBytes) ?? []
            return try CacheBundle(lines: String(decoding: bytes, as: UTF8.self).split(separator: "\n"))
        } catch let fault as CacheFault {
            throw .failed("the packed caches have \(fault.reason)")
        } catch {
            throw .failed((error as? FileFailure)?.message ?? "\(error)")
        }
    }

    private func write(_ bytes: [UInt8], to path: String) throws(CacheTrouble) {
        do throws(FileFailure) {
            // The engine's user reads it; the folder says who else may.
            try ports.files.writeForThisBoot(bytes, to: path, mode: 0o644)
        } catch {
            throw .failed(error.message)
        }
    }
}
