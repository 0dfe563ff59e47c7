/// What vLLM reads the weights with.
package struct WeightLoading: Equatable, Sendable {
    /// The raw value is vLLM's `--load-format`.
    package enum Format: String, Sendable {
        /// vLLM's own choice for files on a disk.
        case files = "auto"
        case streamer = "runai_streamer"
        /// Each rank reads its own `model-rank-R-part-P.safetensors`.
        case sharded = "runai_streamer_sharded"
    }

    package var format: Format
    /// Ranks share the reading and pass on what they read over NCCL. Where that is not to be had, the streamer lets each
    /// rank read all of it after all, and says so in its log.
    package var isDistributed: Bool

    package init(_ format: Format, isDistributed: Bool = false) {
        self.format = format
        self.isDistributed = isDistributed
    }

    /// Without a look at store and machine.
    package init(plain assignment: Assignment) {
        self.init(assignment.useRunaiStreamer ? .streamer : .files)
    }
}

extension Assignment {
    /// vLLM reads an object store through a streamer only, so without one the agent downloads first.
    package var isDownloaded: Bool { !useRunaiStreamer && modelURI.hasPrefix("s3://") }

    /// A name on the Hugging Face Hub, which vLLM downloads by itself.
    package var isOnHub: Bool { AssignmentRules.isHubName(modelURI) }
}

/// The files that a sharded checkpoint holds, by rank.
package struct RankFiles: Equatable, Sendable {
    package private(set) var byRank: [Int: [StoredObject]] = [:]

    package init(among weights: [StoredObject]) {
        for object in weights {
            if let rank = Self.rank(of: object.name) { byRank[rank, default: []].append(object) }
        }
    }

    package var objects: [StoredObject] { byRank.values.flatMap { $0 } }

    /// Whether each of so many ranks has files, and nobody else.
    package func fit(ranks: Int) -> Bool { Set(byRank.keys) == Set(0..<ranks) }

    /// `model-rank-0-part-12.safetensors`
    private static func rank(of name: String) -> Int? {
        let words = name.split(separator: "-", omittingEmptySubsequences: false)
        guard words.count == 5, words[0] == "model", words[1] == "rank", words[3] == "part",
            let rank = Int(words[2]), (0..<1024).contains(rank), Int(words[4].prefix { $0 != "." }) != nil
        else { return nil }
        return rank
    }
}
