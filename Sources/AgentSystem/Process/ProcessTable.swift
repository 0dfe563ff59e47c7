internal import AgentCore
internal import Glibc

/// What /proc says about processes right now.
enum ProcessTable {
    static func stat(of pid: Int32) -> ProcessStat? {
        read("/proc/\(pid)/stat", limit: 4096).flatMap(ProcessStat.init)
    }

    /// Every process that can be seen. Not one instant: processes come and go while the folder is read.
    static func all() -> [ProcessStat] {
        pids().compactMap(stat)
    }

    static func pids() -> [Int32] {
        guard let stream = opendir("/proc") else { return [] }
        defer { closedir(stream) }
        var pids: [Int32] = []
        while let name = LinuxFileStore.nextName(stream) {
            if let pid = Int32(name) { pids.append(pid) }
        }
        return pids
    }

    /// The title the engine gave the process (`VLLM::EngineCore`), which stands over its command line; else the
    /// command line with blanks between its words, at most 256 bytes; else the command's name.
    static func title(of process: ProcessStat) -> String {
        let line = read("/proc/\(process.pid)/cmdline", limit: 256) ?? []
        let words = line.split(separator: 0)
        if let title = words.first, title.starts(with: Array("VLLM::".utf8)) {
            return String(decoding: title, as: UTF8.self)
        }
        return words.isEmpty ? process.command : String(decoding: Array(words.joined(separator: [0x20])), as: UTF8.self)
    }

    /// Bytes the process had read from disks; 0 where the kernel does not let us look.
    static func diskBytes(of pid: Int32) -> UInt64 {
        let text = String(decoding: read("/proc/\(pid)/io", limit: 1024) ?? [], as: UTF8.self)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("read_bytes: ") }) else { return 0 }
        return UInt64(line.dropFirst("read_bytes: ".count)) ?? 0
    }

    /// Changes at every boot, so that pids and start times of an earlier boot are known for what they are.
    static func bootID() -> String {
        let bytes = read("/proc/sys/kernel/random/boot_id", limit: 64) ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    private static func read(_ path: String, limit: Int) -> [UInt8]? {
        try? Descriptor.open(path, O_RDONLY).read(upTo: limit, at: 0)
    }
}
