internal import AgentCore
internal import AgentWire

/// Looks into the object store before a start: the listing, the index and the head of every shard, side by side, within
/// one deadline. Reads nothing of the weights themselves.
struct StoreScout: Sendable {
    /// Enough for the header of a shard with a hundred tensors, and small enough for a slow link.
    private static let headBytes: UInt64 = 16 << 10
    /// Requests at one time: fewer than libcurl has connections, for the agent has others to talk to.
    private static let parallel = 32
    private static let maximumPages = 10
    private static let maximumShards = 1024
    /// After the deadline every request fails at once; the shortest one gets this long.
    private static let shortest = Duration.milliseconds(50)

    let ports: AgentPorts
    let requests: S3Requests
    let deadline: BootInstant
    /// Ends with a slash.
    let prefix: String

    func look(endpoint: String, bucket: String) async -> ObservedStore {
        // The index is asked for before it is known to be there: that saves a round trip, and costs a 404 where not.
        async let askedIndex = index()
        let (listing, clockAhead) = await list()
        var store = ObservedStore(endpoint: endpoint, bucket: bucket, prefix: prefix, listing: listing)
        store.clockAhead = clockAhead
        let weights = store.weights.prefix(Self.maximumShards)
        var waits: [Double] = []
        for (name, head, wait) in await heads(of: Array(weights)) {
            store.shards[name] = head
            if let wait { waits.append(wait) }
        }
        waits.sort()
        store.firstByteSeconds = waits.isEmpty ? nil : waits[waits.count / 2]
        store.index = await askedIndex
        return store
    }

    // MARK: Listing

    private func list() async -> (ObservedStore.Listing, clockAhead: Double?) {
        var objects: [StoredObject] = []
        var continuation: String?
        var clockAhead: Double?
        for _ in 0..<Self.maximumPages {
            do throws(StoreTrouble) {
                let answer = try await ask(requests.list(prefix: prefix, continuation: continuation))
                clockAhead = clockAhead ?? ahead(answer)
                guard answer.status == 200 else { return (.trouble(Self.refusal(answer)), clockAhead) }
                let page = try S3Listing.parse(answer.body)
                objects += page.objects.compactMap(belowPrefix)
                guard let next = page.continuation else { return (.objects(objects, isComplete: true), clockAhead) }
                continuation = next
            } catch {
                return (.trouble(error), clockAhead)
            }
        }
        return (.objects(objects, isComplete: false), clockAhead)
    }

    /// Folder markers are no files.
    private func belowPrefix(_ object: StoredObject) -> StoredObject? {
        guard object.name.hasPrefix(prefix), !object.name.hasSuffix("/") else { return nil }
        return StoredObject(name: String(object.name.dropFirst(prefix.count)), bytes: object.bytes, tag: object.tag)
    }

    private func ahead(_ answer: HTTPResponse) -> Double? {
        answer.headers["date"].flatMap { WallClock.seconds(httpDate: $0) }.map { $0 - ports.clocks.wallTime() }
    }

    // MARK: Index

    private func index() async -> Observed<WeightIndex> {
        let request = requests.get(prefix + WeightIndex.fileName, maximumBytes: WeightIndex.maximumBytes)
        do throws(StoreTrouble) {
            let answer = try await ask(request)
            if answer.status == 404 { return .absent }
            guard answer.status == 200 else { return .trouble(Self.refusal(answer)) }
            do throws(JSONSyntaxError) {
                return .found(try WeightIndex.parse(answer.body))
            } catch {
                return .broken(error.reason)
            }
        } catch {
            return .trouble(error)
        }
    }

    // MARK: Shards

    private typealias Head = (name: String, head: Observed<ShardHeader>, wait: Double?)

    private func heads(of objects: [StoredObject]) async -> [Head] {
        await withTaskGroup(of: Head.self) { group in
            var rest = objects[...]
            var heads: [Head] = []
            for object in rest.prefix(Self.parallel) { group.addTask { await head(of: object) } }
            rest = rest.dropFirst(Self.parallel)
            while let head = await group.next() {
                heads.append(head)
                if let object = rest.popFirst() { group.addTask { await self.head(of: object) } }
            }
            return heads
        }
    }

    private func head(of object: StoredObject) async -> Head {
        guard object.bytes >= 8 else { return (object.name, .found(Self.unread(headerBytes: 8)), nil) }
        do throws(StoreTrouble) {
            let asked = ports.clocks.now()
            let first = try await part(of: object, 0..<min(Self.headBytes, object.bytes))
            let wait = (first.firstByteAt - asked).inSeconds
            guard first.status != 404 else { return (object.name, .absent, nil) }
            return (object.name, try await header(of: object, begin: first.body), wait)
        } catch {
            return (object.name, .trouble(error), nil)
        }
    }

    private func header(of object: StoredObject, begin: [UInt8]) async throws(StoreTrouble) -> Observed<ShardHeader> {
        guard let length = Safetensors.headerBytes(begin) else { throw .notUnderstood("it sent \(begin.count) bytes") }
        guard length <= object.bytes else {
            // Cut short within its header; or, beyond what the format allows, no such file at all.
            return length <= Safetensors.formatLimit
                ? .found(Self.unread(headerBytes: length)) : .broken("it does not begin with the length of a header")
        }
        guard length <= Safetensors.maximumHeaderBytes else { return .skipped("its header has \(length) bytes") }
        var bytes = begin
        if length > UInt64(bytes.count) {
            bytes += try await part(of: object, UInt64(bytes.count)..<length).body
        }
        guard UInt64(bytes.count) >= length else { throw .notUnderstood("it sent less than was asked for") }
        do {
            return .found(try Safetensors.header(bytes))
        } catch {
            return .broken(error.reason)
        }
    }

    /// What is known of a file that ends before its header does.
    private static func unread(headerBytes: UInt64) -> ShardHeader {
        ShardHeader(headerBytes: headerBytes, dataBytes: 0, tensors: 0, largestTensorBytes: 0)
    }

    private func part(of object: StoredObject, _ range: Range<UInt64>) async throws(StoreTrouble) -> HTTPResponse {
        let answer = try await ask(requests.get(prefix + object.name, range: range))
        switch answer.status {
        case 206, 404: return answer
        // Some stores send the part under the status of the whole; a whole of this length is the part, too.
        case 200 where answer.body.count == range.count:
            guard range.lowerBound == 0 || answer.headers["content-range"] != nil else { fallthrough }
            return answer
        case 200: throw .notUnderstood("the store ignores ranges")
        default: throw Self.refusal(answer)
        }
    }

    // MARK: Asking

    /// Once more where the first try may have met a bad moment.
    private func ask(_ request: HTTPRequest) async throws(StoreTrouble) -> HTTPResponse {
        do throws(HTTPFailure) {
            let answer = try await send(request)
            guard answer.status >= 500 || answer.status == 429 else { return answer }
        } catch {
            guard error.kind == .connect || error.kind == .resolve || error.kind == .truncated else {
                throw .noAnswer(error)
            }
        }
        try? await Task.sleep(for: .milliseconds(200))
        do throws(HTTPFailure) {
            return try await send(request)
        } catch {
            throw .noAnswer(error)
        }
    }

    private func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        var request = request
        request.timeout = max(deadline - ports.clocks.now(), Self.shortest)
        return try await ports.http.send(request)
    }

    private static func refusal(_ answer: HTTPResponse) -> StoreTrouble {
        .refused(status: answer.status, code: S3Listing.errorCode(answer.body))
    }
}
