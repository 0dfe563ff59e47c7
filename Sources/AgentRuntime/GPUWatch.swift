internal import AgentCore
internal import Locking

/// What the GPUs hold, looked at seldom: while an engine starts, as a sign of life, and after one was ended, because the
/// next one needs what it held.
final class GPUWatch: Sendable {
    private struct State {
        /// As the engine that runs found them.
        var before: GPUMemory?
        var last: GPUMemory?
        /// An engine has ended since the last look.
        var isOwed = false
        var isSilent = Trouble()
        var isAbsenceTold = false
    }

    private let meter: (any GPUMeter)?
    private let log: any OperatorLog
    private let between: Duration
    private let untilBack: Duration
    private let state = Mutex(State())

    /// - Parameters:
    ///   - between: two looks while an engine starts. A look starts a program that asks the driver.
    ///   - untilBack: two looks after one was ended. A driver frees what a process held within a second or two.
    init(
        _ meter: (any GPUMeter)?, log: any OperatorLog, between: Duration = .seconds(10),
        untilBack: Duration = .seconds(1)
    ) {
        self.meter = meter
        self.log = log
        self.between = between
        self.untilBack = untilBack
    }

    /// nil where nothing is known of it.
    var usedBytes: UInt64? { state.withLock { $0.last?.used } }

    /// Looks now and then until the engine is up, the task is cancelled, or there proves to be no GPU.
    ///
    /// `isAdopted`: what is found first may be the engine's own already.
    func watch(isAdopted: Bool, isUp: @Sendable () -> Bool) async {
        state.withLock { state in
            state.before = nil
            state.last = nil
        }
        var isFirst = !isAdopted
        while !Task.isCancelled, !isUp() {
            switch await look() {
            case .notThere: return
            case .failed: break
            case .seen(let memory):
                state.withLock { state in
                    if isFirst { state.before = memory }
                    state.last = memory
                }
            }
            isFirst = false
            // Cancellation ends the sleep; the loop then ends by itself.
            try? await Task.sleep(for: between)
        }
    }

    /// An engine is gone: whether what it held is back is to be seen before the next one is started.
    func engineEnded() {
        state.withLock { state in
            state.isOwed = true
            state.last = nil
        }
    }

    /// Returns when the memory of the engine that was ended is free, or after a few looks. Where there is no GPU, or its
    /// driver does not answer, nothing is waited for and nothing claimed.
    func settle() async {
        guard state.withLock({ $0.isOwed }) else { return }
        let before = state.withLock { $0.before }
        var last: GPUMemory?
        for _ in 1...5 {
            guard case .seen(let memory) = await look() else { break }
            last = memory
            if memory.isBack(to: before) { break }
            guard (try? await Task.sleep(for: untilBack)) != nil else { return }
        }
        state.withLock { $0.isOwed = false }
        if let last { tell(last, before) }
    }

    private func tell(_ memory: GPUMemory, _ before: GPUMemory?) {
        guard !memory.isBack(to: before) else {
            log.write(.info, "the GPU memory of the engine that was ended is free again: \(memory.inWords)")
            return
        }
        let earlier = before.map { ", \($0.used >> 20) MiB before it was started" } ?? ""
        let pids = memory.holders.map { String($0.pid) }.joined(separator: ", ")
        let holders = pids.isEmpty ? "no process that the driver names holds them" : "held by pid \(pids)"
        log.write(
            .warning,
            "the GPU memory of the engine that was ended is not free yet: \(memory.inWords)\(earlier), \(holders);"
                + " the next start may find too little (`nvidia-smi` shows it)")
    }

    private func look() async -> GPULook {
        guard let meter else { return .notThere }
        let look = await meter.look()
        // A look that was cancelled says nothing about the driver.
        if Task.isCancelled { return look }
        switch look {
        case .notThere:
            let isNews = state.withLock { state in
                defer { state.isAbsenceTold = true }
                return !state.isAbsenceTold
            }
            if isNews { log.write(.info, "no GPU, or no nvidia-smi to ask: GPU memory is not looked at") }
        case .failed:
            if state.withLock({ $0.isSilent.begin() }) {
                log.write(.warning, "the GPUs' memory is not known: nvidia-smi fails, hangs or says what nobody understands")
            }
        case .seen:
            if state.withLock({ $0.isSilent.end() }) { log.write(.notice, "the GPUs' memory is known again") }
        }
        return look
    }
}
