/// What this machine is, as far as the kernel tells it for nothing. Everything that could not be read is nil or empty.
package struct NodeFacts: Equatable, Sendable {
    /// Cores this system has online.
    package var cores: Int?
    /// Memory that can be had now, in bytes.
    package var availableMemory: UInt64?
    /// Descriptors a process of ours may have open, unless it raises that itself.
    package var descriptorLimit: UInt64?
    /// Bytes free for the engine's cache.
    package var freeDisk: UInt64?
    /// Bits a second of the interface that the default route leaves by; virtual ones tell none.
    package var linkSpeed: Double?
    /// Of the NVIDIA kernel module, such as `580.65.06`.
    package var driver: EngineVersion?
    /// Models of the GPUs that the driver knows, in no order.
    package var gpus: [String]
    /// GPUs this system has device nodes for: in a container fewer than the machine has.
    package var gpuDevices: Int
    /// False within a sandbox that hides devices and drivers: then nothing is known about GPUs.
    package var seesGPUs: Bool

    package init() {
        gpus = []
        gpuDevices = 0
        seesGPUs = true
    }

    package var hasDriver: Bool { driver != nil || gpuDevices > 0 }
}

/// Takes the facts out of the kernel's texts.
package enum KernelText {
    /// `/proc/meminfo`: bytes of MemAvailable.
    package static func availableMemory(_ meminfo: String) -> UInt64? {
        value(of: "MemAvailable:", in: meminfo).flatMap { UInt64($0) }.map { $0 &* 1024 }
    }

    /// `/proc/self/limits`: the hard limit, for vLLM raises its soft limit to that; nil for none.
    package static func descriptorLimit(_ limits: String) -> UInt64? {
        let line = limits.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        guard let fields = line?.dropFirst("Max open files".count).split(separator: " "), fields.count >= 2 else {
            return nil
        }
        return UInt64(fields[1])
    }

    /// `/sys/devices/system/cpu/online`: `0-15,32-47`.
    package static func cores(_ online: String) -> Int? {
        var count = 0
        for range in online.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let ends = range.split(separator: "-").map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, last >= first,
                last < 1 << 20
            else { return nil }
            count += last - first + 1
        }
        return count > 0 ? count : nil
    }

    /// `/proc/net/route`: the interface of the default route.
    package static func defaultInterface(_ routes: String) -> String? {
        for line in routes.split(separator: "\n").dropFirst() {
            let fields = line.split(separator: "\t").map { $0.filter { $0 != " " } }
            guard fields.count > 7, fields[1] == "00000000", fields[7] == "00000000" else { continue }
            let isName = !fields[0].contains("/") && !fields[0].hasPrefix(".") && fields[0].utf8.count <= 15
            return isName ? fields[0] : nil
        }
        return nil
    }

    /// `/sys/class/net/eth0/speed`, in Mbit/s; -1 where the driver does not know.
    package static func linkSpeed(_ speed: String) -> Double? {
        let megabits = Double(speed.filter { !$0.isWhitespace })
        return megabits.flatMap { $0 > 0 ? $0 * 1e6 : nil }
    }

    /// `/proc/driver/nvidia/version`: the number behind `Kernel Module`, whose wording differs between the flavours.
    package static func driver(_ version: String) -> EngineVersion? {
        let line = version.split(separator: "\n").first { $0.hasPrefix("NVRM version:") }
        return line?.split(separator: " ").lazy.filter { $0.contains(".") && $0.first?.isNumber == true }
            .compactMap { EngineVersion($0) }.first
    }

    /// `/proc/driver/nvidia/gpus/…/information`
    package static func gpuModel(_ information: String) -> String? {
        let line = information.split(separator: "\n").first { $0.hasPrefix("Model:") }
        let name = line?.dropFirst("Model:".count).drop { $0.isWhitespace }
        return name.flatMap { $0.isEmpty ? nil : String($0.prefix(128)) }
    }

    /// Names in `/dev`: `nvidia0`, `nvidia1`, but not `nvidiactl`.
    package static func gpuDevices(_ names: [String]) -> Int {
        names.count { $0.hasPrefix("nvidia") && Int($0.dropFirst("nvidia".count)) != nil }
    }

    private static func value(of name: String, in text: String) -> Substring? {
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.dropFirst(name.count).split(separator: " ").first
    }
}
