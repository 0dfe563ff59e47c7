import Glibc

/// The processes beside the API server: same titles, same parentage, same answers to signals as the real ones.
///
/// Descriptors: EngineCore has a packet socket to the API server on 0, Worker and tracker a pipe on 0 whose end means
/// "your owner is gone". 3 keeps the tracker's pipe open, which is why a real tracker outlives a killed API server.
enum HelperRole: String {
    case engineCore = "VLLM::EngineCore"
    case worker = "VLLM::Worker"
    case resourceTracker = "resource_tracker"

    static let ownerDescriptor: Int32 = 0
    static let trackerDescriptor: Int32 = 3

    /// What the process shows as its command line.
    var commandLine: [String] {
        switch self {
        case .engineCore, .worker: [rawValue]
        case .resourceTracker: ["python", "-c", "from multiprocessing.resource_tracker import main;main(31)"]
        }
    }

    init?(arguments: [String]) {
        if let role = HelperRole(rawValue: arguments.first ?? "") {
            self = role
        } else if arguments.count == 3, arguments[2].contains("resource_tracker") {
            self = .resourceTracker
        } else {
            return nil
        }
    }

    func run() -> Int32 {
        setProcessName(commandLine[0])
        switch self {
        case .engineCore:
            var core = EngineCoreHelper()
            return core.run()
        case .worker:
            // Where memory is what a test wants to run out.
            signal(SIGUSR1) { _ in takeMemoryWithoutEnd() }
            waitForOwner()
        case .resourceTracker:
            signal(SIGTERM, SIG_IGN)
            signal(SIGINT, SIG_IGN)
            waitForOwner()
        }
        return 0
    }

    private func waitForOwner() {
        var byte: UInt8 = 0
        while read(Self.ownerDescriptor, &byte, 1) != 0 {}
    }
}

/// EngineCore: starts the Worker when told, and lives on when the API server is killed.
struct EngineCoreHelper {
    enum Order: UInt8 {
        case spawnWorker = 0x57
        case quit = 0x51
    }

    private let parent = getppid()
    private var signals = BlockedSignals([SIGTERM, SIGINT])
    private var worker: pid_t?
    /// Ours alone (close-on-exec): its end tells the Worker that we are gone.
    private var workerPipe: Int32 = -1

    mutating func run() -> Int32 {
        var orders = pollfd(fd: HelperRole.ownerDescriptor, events: Int16(POLLIN), revents: 0)
        while true {
            poll(&orders, 1, 20)
            if orders.revents != 0, let code = obey(&orders) { return code }
            while let signal = signals.next() {
                // Orphaned, the real one takes no notice of SIGTERM.
                if signal == SIGTERM, getppid() == parent { return 0 }
            }
            if let worker, waitpid(worker, nil, WNOHANG) == worker {
                return 1
            }
        }
    }

    private mutating func obey(_ orders: inout pollfd) -> Int32? {
        var byte: UInt8 = 0
        guard recv(orders.fd, &byte, 1, 0) == 1, let order = Order(rawValue: byte) else {
            // The API server is gone. poll() ignores negative descriptors.
            orders.fd = -1
            return nil
        }
        switch order {
        case .quit:
            return 0
        case .spawnWorker:
            var pid = spawnWorker() ?? 0
            send(orders.fd, &pid, MemoryLayout<pid_t>.size, 0)
            return nil
        }
    }

    private mutating func spawnWorker() -> pid_t? {
        guard let ends = closeOnExecPipe() else { return nil }
        worker = spawnSelf(
            arguments: HelperRole.worker.commandLine,
            descriptors: [
                (ends[0], HelperRole.ownerDescriptor), (1, 1), (2, 2),
                (HelperRole.trackerDescriptor, HelperRole.trackerDescriptor),
            ])
        close(ends[0])
        workerPipe = ends[1]
        return worker
    }
}
