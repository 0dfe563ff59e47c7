internal import AgentCore
internal import AgentWire

/// Finds out what caches of a start are found by: software and machine from files, the model's revision from the store.
struct CacheKeyReader {
    private static let maximumPages = 10

    let settings: AgentSettings
    let ports: AgentPorts

    func key(of assignment: Assignment, on install: EngineInstall) async throws(CacheTrouble) -> CacheKey {
        guard let address = S3Address(assignment.modelURI) else {
            throw .failed("\(assignment.modelURI) is not in a store, so its revision is not known")
        }
        let requests = self.requests(assignment.store, bucket: address.bucket)
        let objects = try await asking { () async throws(StoreTrouble) in
            try await listing(requests, prefix: address.prefix + "/")
        }
        var factors = CacheFactors(modelRevision: StoredObject.revision(of: objects, signer: ports.signer))
        readMachine(into: &factors)
        for name in EngineLocator(settings: settings, files: ports.files).distributions(of: install.executable) {
            if let package = CacheFactors.package(name) { factors.packages[package.name] = package.version }
        }
        let arguments = EngineCommand.arguments(for: assignment, on: install, placement: settings.placement)
        let environment = settings.engineEnvironment(for: assignment, on: install)
        return CacheKey(
            factors.factors(assignment, launch: (install.executable, arguments, environment)), signer: ports.signer)
    }

    func store(_ caches: CacheSettings, _ assignment: Assignment) -> CacheStore {
        CacheStore(
            requests: requests(caches.store(assignment.store), bucket: caches.bucket), prefix: caches.prefix,
            http: ports.http)
    }

    private func requests(_ store: ObjectStore, bucket: String) -> S3Requests {
        S3Requests(
            store: store, bucket: bucket, signer: ports.signer,
            wallTime: { [clocks = ports.clocks] in clocks.wallTime() })
    }

    /// All of it: of half a listing there would be half a revision.
    private func listing(_ requests: S3Requests, prefix: String) async throws(StoreTrouble) -> [StoredObject] {
        var objects: [StoredObject] = []
        var continuation: String?
        for _ in 0..<Self.maximumPages {
            let answer: HTTPResponse
            do throws(HTTPFailure) {
                answer = try await ports.http.send(requests.list(prefix: prefix, continuation: continuation))
            } catch {
                throw .noAnswer(error)
            }
            guard answer.status == 200 else {
                throw .refused(status: answer.status, code: S3Listing.errorCode(answer.body))
            }
            let page = try S3Listing.parse(answer.body)
            objects += page.objects
            guard let next = page.continuation else { return objects }
            continuation = next
        }
        throw .notUnderstood("the model has more files than are looked at")
    }

    private func readMachine(into factors: inout CacheFactors) {
        factors.processor = text("/proc/cpuinfo") ?? ""
        factors.driver = text("/proc/driver/nvidia/version").flatMap(KernelText.driver)?.text
        let gpus = "/proc/driver/nvidia/gpus"
        let names = ((try? ports.files.list(gpus)) ?? []).compactMap {
            text("\(gpus)/\($0)/information").flatMap(KernelText.gpuModel)
        }
        factors.gpus = Set(names).sorted()
    }

    private func text(_ path: String) -> String? {
        (try? ports.files.read(path, limit: 1 << 22)).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
    }
}

/// `s3://bucket/prefix`.
struct S3Address {
    let bucket: String
    /// Without slashes at its end.
    let prefix: String

    init?(_ uri: String) {
        guard uri.hasPrefix("s3://") else { return nil }
        let address = uri.dropFirst("s3://".count)
        bucket = String(address.prefix { $0 != "/" })
        var prefix = String(address.dropFirst(bucket.count + 1))
        while prefix.hasSuffix("/") { prefix.removeLast() }
        self.prefix = prefix
    }
}
