import Glibc

/// The API server's view of its helpers.
struct HelperProcesses {
    private(set) var engineCore: pid_t?
    private(set) var worker: pid_t?
    private var tracker: pid_t?
    private var coreSocket: Int32 = -1
    private var trackerPipe: Int32 = -1
    private var rpc: RPCSocket?

    mutating func spawn(_ role: HelperRole) {
        switch role {
        case .resourceTracker: spawnTracker()
        case .engineCore: spawnEngineCore()
        case .worker: orderWorker()
        }
    }

    private mutating func spawnTracker() {
        guard let ends = closeOnExecPipe() else { return }
        tracker = spawnSelf(
            arguments: HelperRole.resourceTracker.commandLine,
            descriptors: [(ends[0], HelperRole.ownerDescriptor), (1, 1), (2, 2)])
        close(ends[0])
        trackerPipe = ends[1]
    }

    private mutating func spawnEngineCore() {
        rpc = RPCSocket()
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return }
        engineCore = spawnSelf(
            arguments: HelperRole.engineCore.commandLine,
            descriptors: [
                (ends[0], HelperRole.ownerDescriptor), (1, 1), (2, 2), (trackerPipe, HelperRole.trackerDescriptor),
            ])
        close(ends[0])
        coreSocket = ends[1]
    }

    private mutating func orderWorker() {
        var order = EngineCoreHelper.Order.spawnWorker.rawValue
        var pid: pid_t = 0
        guard send(coreSocket, &order, 1, 0) == 1, recv(coreSocket, &pid, MemoryLayout<pid_t>.size, 0) > 0 else {
            return
        }
        worker = pid > 0 ? pid : nil
    }

    /// SIGKILL to the deepest process there is, as the kernel's OOM killer picks it.
    func killDeepest() {
        kill(worker ?? engineCore ?? getpid(), SIGKILL)
    }

    /// True once, when EngineCore has ended without having been told to.
    mutating func engineCoreDied() -> Bool {
        guard let engineCore, waitpid(engineCore, nil, WNOHANG) == engineCore else { return false }
        self.engineCore = nil
        return true
    }

    /// Ends EngineCore (and with it the Worker) and waits for it.
    mutating func quit() {
        guard let engineCore else { return }
        var order = EngineCoreHelper.Order.quit.rawValue
        send(coreSocket, &order, 1, 0)
        waitpid(engineCore, nil, 0)
        self.engineCore = nil
        rpc?.close()
        rpc = nil
    }

    /// Process ids by the names the log uses.
    var pids: [String: pid_t] {
        ["APIServer": getpid(), "EngineCore": engineCore ?? 0, "Worker": worker ?? 0]
    }
}
