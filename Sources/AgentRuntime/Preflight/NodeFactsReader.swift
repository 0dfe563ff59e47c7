internal import AgentCore
internal import Locking

/// Asks the kernel about this machine. No program is started: `nvidia-smi` can hang in a driver for ever.
actor NodeFactsReader {
    private let files: any FileStore
    private let cacheFolder: String
    /// Whether the engine has the limits and the view of this process, or those of a unit of its own.
    private let sharesLimits: Bool
    /// Disks and drivers may answer late.
    private let executor = QueueExecutor(label: "io.crosslogic.node-facts")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(files: any FileStore, cacheFolder: String, sharesLimits: Bool) {
        self.sharesLimits = sharesLimits
        self.files = files
        self.cacheFolder = cacheFolder
    }

    func read() -> NodeFacts {
        var facts = NodeFacts()
        facts.cores = text("/sys/devices/system/cpu/online").flatMap(KernelText.cores)
        facts.availableMemory = text("/proc/meminfo").flatMap(KernelText.availableMemory)
        facts.freeDisk = files.freeBytes(below: cacheFolder)
        if let interface = text("/proc/net/route").flatMap(KernelText.defaultInterface) {
            facts.linkSpeed = text("/sys/class/net/\(interface)/speed").flatMap(KernelText.linkSpeed)
        }
        facts.seesGPUs = sharesLimits
        guard sharesLimits else { return facts }
        facts.descriptorLimit = text("/proc/self/limits").flatMap(KernelText.descriptorLimit)
        facts.driver = text("/proc/driver/nvidia/version").flatMap(KernelText.driver)
        let gpus = "/proc/driver/nvidia/gpus"
        facts.gpus = list(gpus).compactMap { text("\(gpus)/\($0)/information").flatMap(KernelText.gpuModel) }
        facts.gpuDevices = KernelText.gpuDevices(list("/dev"))
        return facts
    }

    /// Of the Python packages in these folders.
    func readBytecode(_ packageFolders: [String]) -> Bytecode {
        var bytecode = Bytecode()
        for packages in packageFolders {
            for folder in Bytecode.folders.map({ "\(packages)/\($0)" }) {
                bytecode.read(folder: list(folder), cache: list("\(folder)/__pycache__"))
            }
        }
        return bytecode
    }

    /// nil where there is no such file, or none that may be read: then that fact is not known.
    private func text(_ path: String) -> String? {
        (try? files.read(path, limit: 1 << 20)).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
    }

    private func list(_ folder: String) -> [String] { (try? files.list(folder)) ?? [] }
}
