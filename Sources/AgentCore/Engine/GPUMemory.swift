/// What the GPUs of this machine hold at one moment, all of them together.
package struct GPUMemory: Equatable, Sendable {
    package struct Holder: Equatable, Sendable {
        package var pid: Int32
        /// nil where the driver does not tell, as in some containers.
        package var bytes: UInt64?

        package init(pid: Int32, bytes: UInt64?) {
            self.pid = pid
            self.bytes = bytes
        }
    }

    /// In bytes.
    package var used: UInt64
    package var total: UInt64
    package var holders: [Holder]

    package init(used: UInt64, total: UInt64, holders: [Holder] = []) {
        self.used = used
        self.total = total
        self.holders = holders
    }

    /// A driver keeps a few megabytes more or less.
    private static let slack: UInt64 = 256 << 20

    /// Whether what an engine held is free again: as much is used as before it was started, or, where that is not known,
    /// no process holds anything.
    package func isBack(to before: GPUMemory?) -> Bool {
        before.map { used <= $0.used + Self.slack } ?? holders.isEmpty
    }

    package var inWords: String { "\(used >> 20) of \(total >> 20) MiB of GPU memory are used" }
}

/// What a look at the GPUs has brought.
package enum GPULook: Equatable, Sendable {
    case seen(GPUMemory)
    /// There is no GPU, or nothing that could look at one: then nothing is said about its memory.
    case notThere
    /// The driver does not answer, or not in words that are understood.
    case failed
}

extension GPULook {
    /// Most lines a machine can have: GPUs, and processes on them.
    private static let mostLines = 1024

    /// Lines as `read-gpu-memory` prints them, in the words of nvidia-smi, in MiB: `gpu USED, TOTAL`, `process PID, USED`;
    /// the one line `none` where nothing could look.
    package init(lines: [String]) {
        if lines == ["none"] {
            self = .notThere
            return
        }
        var memory = GPUMemory(used: 0, total: 0)
        var gpus = 0
        for line in lines.prefix(Self.mostLines) {
            let words = line.split(separator: " ", maxSplits: 1)
            let numbers = words.last.map { $0.split(separator: ",").map(Self.number) } ?? []
            switch (words.first, numbers.count) {
            case ("gpu", 2):
                guard let used = numbers[0], let total = numbers[1], used <= total else { continue }
                memory.used += used << 20
                memory.total += total << 20
                gpus += 1
            case ("process", 2):
                guard let pid = numbers[0].flatMap({ Int32(exactly: $0) }), pid > 0 else { continue }
                memory.holders.append(GPUMemory.Holder(pid: pid, bytes: numbers[1].map { $0 << 20 }))
            default: continue
            }
        }
        self = gpus > 0 ? .seen(memory) : .failed
    }

    /// nil for `[N/A]` and the like. No GPU has a petabyte, in MiB.
    private static func number(_ text: Substring) -> UInt64? {
        UInt64(text.filter { $0 != " " }).flatMap { $0 < 1 << 30 ? $0 : nil }
    }
}
