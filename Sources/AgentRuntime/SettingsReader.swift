internal import AgentCore
internal import AgentWire

/// Reads settings by name and collects every fault on the way. An empty value counts as not set.
struct SettingsReader {
    private let environment: [String: String]
    private(set) var faults: [FieldFault] = []

    init(_ environment: [String: String]) {
        self.environment = environment
    }

    mutating func fault(_ name: String, _ problem: String) {
        faults.append(FieldFault(field: name, problem: problem))
    }

    func text(_ name: String) -> String? {
        guard let value = environment[name], !value.isEmpty else { return nil }
        return value
    }

    mutating func required(_ name: String) -> String? {
        let value = text(name)
        if value == nil { fault(name, "is missing; set it in the environment or in an --env-file") }
        return value
    }

    mutating func url(_ name: String, required isRequired: Bool = false) -> String? {
        guard let value = isRequired ? required(name) : text(name) else { return nil }
        if let problem = AssignmentRules.url(value) { fault(name, problem) }
        return value
    }

    /// Goes into URLs and file names, so that only harmless characters are allowed.
    mutating func nodeID(_ name: String) -> String {
        guard let value = required(name) else { return "" }
        let isHarmless =
            value.utf8.count <= 128
            && value.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        if !isHarmless || value.hasPrefix(".") {
            fault(name, "must be at most 128 letters, digits, '-', '_' and '.', not beginning with '.'")
        }
        return value
    }

    mutating func token(_ name: String, file: String?) -> Secret {
        let value = text(name) ?? file
        guard let value, !value.isEmpty else {
            fault(name, "is missing; set it, or CROSSLOGIC_NODE_TOKEN_FILE, or the systemd credential node-token")
            return Secret("")
        }
        if value.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
            fault(name, "contains a blank or a character beyond ASCII")
        }
        return Secret(value)
    }

    mutating func path(_ name: String) -> String? {
        guard let value = text(name) else { return nil }
        if !value.hasPrefix("/") { fault(name, "is \"\(value)\", must be an absolute path") }
        return value
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = text(name) else { return nil }
        guard let number = Int64(value), range.contains(number) else {
            fault(name, "is \"\(value)\", must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    /// Read by the engine launcher, which could complain to the engine's log alone.
    mutating func checkpoint(_ name: String) {
        guard let value = text(name), value != "off" else { return }
        // Python has other ideas of what else is a number than Swift.
        let isDecimal = value.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
        let range = EngineLauncher.checkpointSeconds
        if !isDecimal || !range.contains(Double(value) ?? -1) {
            let bounds = (Int(range.lowerBound), Int(range.upperBound))
            fault(name, "is \"\(value)\", must be off or seconds from \(bounds.0) to \(bounds.1)")
        }
    }

    mutating func flag(_ name: String) -> Bool? {
        guard let value = text(name) else { return nil }
        switch value.lowercased() {
        case "1", "true", "yes", "on": return true
        case "0", "false", "no", "off": return false
        default:
            fault(name, "is \"\(value)\", must be true or false")
            return nil
        }
    }

    /// One of a few words.
    mutating func choice<Choice: CaseIterable & RawRepresentable<String>>(_ name: String) -> Choice? {
        guard let value = text(name) else { return nil }
        if let choice = Choice(rawValue: value) { return choice }
        fault(name, "is \"\(value)\", must be \(Choice.allCases.map(\.rawValue).joined(separator: " or "))")
        return nil
    }

    /// `host:port`, `[v6]:port`; port 0 takes any free one.
    mutating func listenAddress(_ name: String, default fallback: (String, UInt16)) -> (String, UInt16) {
        guard let value = text(name) else { return fallback }
        guard let colon = value.lastIndex(of: ":"), let port = UInt16(value[value.index(after: colon)...]) else {
            fault(name, "is \"\(value)\", must be address:port")
            return fallback
        }
        var host = value[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        if !IPAddress.isLiteral(host) {
            fault(name, "is \"\(value)\", must be address:port with an IP address, such as 127.0.0.1:9400")
        }
        return (String(host), port)
    }

    mutating func cloud(_ name: String) -> String? {
        guard let value = text(name) else { return nil }
        if Cloud(name: value) == nil {
            fault(name, "is \"\(value)\", must be one of \(Cloud.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    mutating func address(_ name: String) -> String? {
        guard let value = text(name) else { return nil }
        if !IPAddress.isLiteral(value) { fault(name, "is \"\(value)\", must be an IP address") }
        return value
    }

    /// Blank-separated; faults never repeat an argument's value, which may be a secret.
    mutating func arguments(_ name: String) -> [String] {
        let arguments = (text(name) ?? "").split(separator: " ").map(String.init)
        for (_, problem) in AssignmentRules.nodeArguments(arguments) { fault(name, problem) }
        return arguments
    }

    mutating func assignmentDefaults() -> AssignmentDefaults {
        var defaults = AssignmentDefaults()
        defaults.store = store()
        defaults.useRunaiStreamer = flag("VLLM_USE_RUNAI_STREAMER")
        defaults.streamerConcurrency =
            integer("VLLM_STREAMER_CONCURRENCY", in: AssignmentRules.streamerConcurrency).map(Int.init)
        defaults.streamerMemoryLimit = integer("VLLM_STREAMER_MEMORY_LIMIT", in: AssignmentRules.streamerMemoryLimit)
        if let value = text("VLLM_GPU_MEMORY_UTIL") {
            defaults.gpuMemoryUtilization = Double(value)
            if let problem = AssignmentRules.gpuMemoryUtilization(Double(value) ?? -1) {
                fault("VLLM_GPU_MEMORY_UTIL", problem)
            }
        }
        return defaults
    }

    /// All of it or none of it: half a set of credentials is a mistake worth saying.
    private mutating func store() -> ObjectStore? {
        let names = ["R2_ENDPOINT", "R2_BUCKET", "R2_ACCESS_KEY", "R2_SECRET_KEY"]
        guard names.contains(where: { text($0) != nil }) else { return nil }
        for name in names where text(name) == nil { fault(name, "is missing, but other R2_* settings are there") }
        guard let endpoint = url("R2_ENDPOINT"), let bucket = text("R2_BUCKET"),
            let key = text("R2_ACCESS_KEY"), let secret = text("R2_SECRET_KEY")
        else { return nil }
        var store = ObjectStore(
            endpoint: endpoint, bucket: bucket, accessKeyID: Secret(key), secretAccessKey: Secret(secret))
        store.cdnDomain = text("R2_CDN_DOMAIN")
        return store
    }
}
