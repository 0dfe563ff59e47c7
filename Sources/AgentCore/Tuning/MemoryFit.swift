/// How much host memory the streamer may take for staging.
struct MemoryFit {
    var assignment: Assignment
    var row: TuningMatrix.Row?
    var install: EngineInstall
    var facts: NodeFacts
    var weightBytes: UInt64
    var largestTensor: UInt64?
    var loading: WeightLoading
    var learned: LearnedLoads?

    var limit: Chosen<Int64> {
        guard !assignment.givenStreamerSettings.contains(.memoryLimit) else {
            return Chosen(assignment.streamerMemoryLimit, "given by the assignment or by the node's settings")
        }
        // Half of what is there; the engine needs the rest.
        let share = facts.availableMemory.map { $0 / 2 / UInt64(sharers) }
        if install.effectiveVLLM < EngineVersion(0, 22), let share, weightBytes > 0, weightBytes <= share {
            return Chosen(-1, "before vLLM 0.22 a limit below the model's size can corrupt weights; all of it fits")
        }
        var limit = row?.memoryLimit ?? assignment.streamerMemoryLimit
        var reason = row.map { "the guide's row \($0.name)" } ?? "the default"
        if let share, UInt64(limit) > share {
            limit = Int64(clamping: share)
            reason = "half of the memory that is available" + (sharers > 1 ? ", for each rank" : "")
        }
        if let most = learned?.highestMemoryLimit, limit > most {
            limit = most
            reason = "an earlier load ran out of memory with more"
        }
        if let largestTensor, UInt64(limit) < largestTensor {
            limit = Int64(clamping: largestTensor)
            reason = "the largest tensor must fit"
        }
        return Chosen(limit, isOfNode ? reason + "; all ranks together" : reason)
    }

    /// From 0.17 on the limit of ranks that share the reading is the node's.
    private var isOfNode: Bool {
        loading.isDistributed && install.streamer.map { $0 >= EngineVersion(0, 17) } == true
    }

    private var sharers: Int { isOfNode ? 1 : max(1, assignment.tensorParallelSize) }
}
