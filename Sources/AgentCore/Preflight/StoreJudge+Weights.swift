// The weights: in the right form, all of them, whole, and nothing that is read for nothing.

extension StoreJudge {
    var weights: [PreflightFinding] {
        let found = store.weights
        guard !found.isEmpty else { return [noWeights] }
        let total = Self.gigabytes(store.weightBytes)
        return [.ok(.weights, "\(found.count) safetensors file\(found.count == 1 ? "" : "s"), \(total)")]
            + completeness + ranks + sizes + strays + largestTensor
    }

    private var noWeights: PreflightFinding {
        let others = store.objects.filter { object in
            [".bin", ".pt", ".pth", ".gguf"].contains { object.name.hasSuffix($0) }
        }
        guard let example = others.first else {
            let nested = store.objects.first { $0.name.hasSuffix(".safetensors") }
            let place = nested.map { "; \($0.name) lies too deep, only what is directly there is read" } ?? ""
            return cannotLoad(.weights, .weightsFormat, "there is no *.safetensors below \(store.address)\(place)")
        }
        return cannotLoad(
            .weights, .weightsFormat,
            "\(store.address) holds \(others.count) files like \(example.name), and no *.safetensors")
    }

    // MARK: Every shard is there

    private var completeness: [PreflightFinding] {
        switch store.index {
        case .found(let index): [listed(index)]
        case .absent: numbered.map { [$0] } ?? []
        case .broken(let reason):
            [.warn(.shards, .weightsIncomplete, "model.safetensors.index.json cannot be used: \(reason)")]
        case .trouble(let trouble):
            [.warn(.shards, .weightsUnreadable, "model.safetensors.index.json could not be read: \(trouble.words)")]
        case .skipped(let reason): [.warn(.shards, nil, "model.safetensors.index.json was not read: \(reason)")]
        }
    }

    private func listed(_ index: WeightIndex) -> PreflightFinding {
        let there = Set(store.objects.map(\.name))
        let missing = index.files.subtracting(there).sorted()
        guard !missing.isEmpty else { return .ok(.shards, "all \(index.files.count) shards of the index are there") }
        // Mistral's own form, with the index of the other one left beside it.
        if store.weights.allSatisfy({ $0.name.hasPrefix("consolidated") }) {
            return .warn(.shards, .weightsIncomplete, "the index names other files than those that are there")
        }
        return incomplete(missing, of: index.files.count)
    }

    /// Without an index, the names tell: `model-00001-of-00004.safetensors`.
    private var numbered: PreflightFinding? {
        var seen: [String: (count: Int, numbers: Set<Int>)] = [:]
        for object in store.weights {
            guard let name = ShardName(object.name) else { continue }
            seen[name.stem, default: (name.count, [])].numbers.insert(name.number)
        }
        guard seen.count == 1, let (stem, shards) = seen.first, shards.count <= 10_000 else { return nil }
        let missing = Set(1...max(1, shards.count)).subtracting(shards.numbers).sorted()
        guard !missing.isEmpty else { return .ok(.shards, "all \(shards.count) numbered shards are there (no index)") }
        return incomplete(missing.map { "\(stem) number \($0)" }, of: shards.count)
    }

    private func incomplete(_ missing: [String], of count: Int) -> PreflightFinding {
        let some = missing.prefix(3).joined(separator: ", ") + (missing.count > 3 ? ", …" : "")
        let message = "\(missing.count) of \(count) shards are not there: \(some)"
        return isCompleteListing
            ? cannotLoad(.shards, .weightsIncomplete, message) : .warn(.shards, .weightsIncomplete, message)
    }

    /// Files of ranks are good for exactly so many ranks, and for no other loader.
    private var ranks: [PreflightFinding] {
        let files = RankFiles(among: store.weights)
        let wanted = assignment.tensorParallelSize
        guard !files.byRank.isEmpty else { return [] }
        if use == .streamedByRank { return [.ok(.shards, "there are files for each of \(wanted) ranks")] }
        let message = "there are files for ranks \(files.byRank.keys.sorted().map(String.init).joined(separator: ", "))"
        let isAll = files.objects.count == store.weights.count
        let said = "\(message); tensor_parallel_size is \(wanted)"
        return [isAll ? cannotLoad(.shards, .weightsFormat, said) : .warn(.shards, .weightsFormat, said)]
    }

    // MARK: Each is whole

    private var sizes: [PreflightFinding] {
        let judged = store.weights.compactMap { object in
            store.shards[object.name].flatMap { judge(object, $0) }
        }
        guard !judged.isEmpty else { return [.ok(.sizes, "each file is as long as its header says")] }
        return Self.folded(judged)
    }

    /// Thirty shards that fail alike are one thing to know.
    private static func folded(_ findings: [PreflightFinding]) -> [PreflightFinding] {
        var folded: [PreflightFinding] = []
        var alike: [Int] = []
        for finding in findings {
            if let index = folded.firstIndex(where: { $0.failure == finding.failure && $0.level == finding.level }) {
                alike[index] += 1
            } else {
                folded.append(finding)
                alike.append(0)
            }
        }
        for (index, more) in alike.enumerated() where more > 0 { folded[index].message += " (and \(more) more)" }
        return folded
    }

    /// nil where all is well.
    private func judge(_ object: StoredObject, _ seen: Observed<ShardHeader>) -> PreflightFinding? {
        switch seen {
        case .found(let header): return judge(object, header)
        case .broken(let reason):
            return cannotLoad(.sizes, .weightsFormat, "\(object.name) is no safetensors file: \(reason)")
        case .absent:
            return cannotLoad(.sizes, .weightsUnreadable, "\(object.name) is listed, but cannot be found")
        case .trouble(.refused(let status, let code)) where status == 401 || status == 403:
            return cannotLoad(
                .sizes, .weightsUnreadable,
                "\(object.name) is listed, but may not be read: \(code ?? String(status))")
        case .trouble(let trouble):
            return .warn(.sizes, .weightsUnreadable, "\(object.name) could not be looked into: \(trouble.words)")
        case .skipped(let reason): return .warn(.sizes, nil, "\(object.name) was not looked into: \(reason)")
        }
    }

    private func judge(_ object: StoredObject, _ header: ShardHeader) -> PreflightFinding? {
        guard header.objectBytes != object.bytes else { return nil }
        let wanted = header.objectBytes.map(String.init) ?? "more than any file"
        let message = "\(object.name) has \(object.bytes) bytes; its header says \(wanted)"
        if let objectBytes = header.objectBytes, objectBytes < object.bytes {
            // The streamer reads by the header and does not mind what follows.
            return .warn(.sizes, .weightsFormat, message)
        }
        return cannotLoad(.sizes, .weightsIncomplete, message)
    }

    // MARK: Nothing is read for nothing

    private var strays: [PreflightFinding] {
        guard case .found(let index) = store.index, use == .streamed else { return [] }
        let strays = store.weights.filter { !index.files.contains($0.name) }
        guard let example = strays.first else { return [] }
        let bytes = Self.gigabytes(strays.reduce(0) { $0 &+ $1.bytes })
        return [
            .warn(
                .strays, .weightsFormat,
                "\(strays.count == 1 ? "" : "\(strays.count) files like ")\(example.name) (\(bytes)) are streamed although"
                    + " the index does not name them",
                remedy: "Remove them from the prefix: the streamer reads every *.safetensors directly under it.")
        ]
    }

    private var largestTensor: [PreflightFinding] {
        let limit = assignment.streamerMemoryLimit
        guard use == .streamed || use == .streamedByRank, limit > 0, let largest = store.largestTensorBytes, largest > UInt64(limit) else { return [] }
        return [
            .fatal(
                .memory, .memoryLimitTooSmall,
                // The streamer's own words: the next try takes the number from them.
                "Memory limit supplied: \(limit) cannot be smaller than: \(largest) (the largest tensor)")
        ]
    }

    private func cannotLoad(
        _ check: PreflightCheck, _ failure: FailureClass, _ message: String
    ) -> PreflightFinding {
        use != .unknown ? .fatal(check, failure, message) : .warn(check, failure, message)
    }

    static func gigabytes(_ bytes: UInt64) -> String {
        let megabytes = Double(bytes) / 1e6
        guard megabytes >= 1000 else { return "\(Int(megabytes.rounded())) MB" }
        let tenths = Int((megabytes / 100).rounded())
        return "\(tenths / 10).\(tenths % 10) GB"
    }
}

/// `model-00001-of-00004.safetensors`
private struct ShardName {
    var stem: String
    var number: Int
    var count: Int

    init?(_ name: String) {
        let parts = name.dropLast(".safetensors".count).split(separator: "-")
        guard parts.count >= 4, parts[parts.count - 2] == "of", let number = Int(parts[parts.count - 3]),
            let count = Int(parts[parts.count - 1]), (1...10_000).contains(count), (1...count).contains(number)
        else { return nil }
        stem = parts.dropLast(3).joined(separator: "-") + "-of-\(count)"
        self.number = number
        self.count = count
    }
}
