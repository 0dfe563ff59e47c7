/// What a field of an assignment may be. Each rule answers nil when the value is fine, else what is wrong with it.
package enum AssignmentRules {
    package static let streamerConcurrency: ClosedRange<Int64> = 1...1024
    package static let streamerMemoryLimit: ClosedRange<Int64> = -1...(1 << 42)
    package static let gpuCount: ClosedRange<Int64> = 1...64
    package static let maxModelLength: ClosedRange<Int64> = 1...16_777_216
    package static let maximumExtraArguments = 64
    package static let dtypes = ["auto", "half", "float16", "bfloat16", "float", "float32"]

    /// `--flag` → why the assignment may not set it. The agent renders these itself or they would leak a secret.
    package static let reservedFlags: [String: String] = [
        "--host": "the node decides where the engine listens",
        "--port": "the node decides where the engine listens",
        "--uds": "the agent checks readiness over TCP",
        "--model": "is the field model_uri",
        "--served-model-name": "is the field model",
        "--load-format": "is decided by use_runai_streamer",
        "--model-loader-extra-config": "is made of streamer_concurrency and streamer_memory_limit",
        "--gpu-memory-utilization": "is the field gpu_memory_utilization",
        "--dtype": "is the field dtype",
        "--tensor-parallel-size": "is the field tensor_parallel_size",
        "-tp": "is the field tensor_parallel_size",
        "--max-model-len": "is the field max_model_len",
        "--api-key": "would show the key in argv and in the engine's log; set VLLM_API_KEY on the node",
        "--hf-token": "would show the token in argv; set HF_TOKEN on the node",
        "--config": "could override everything that was checked",
        "--ssl-*": "the agent checks readiness over plain HTTP",
    ]

    /// Those of `reservedFlags` that the node's own arguments may not set either. The rest only tunes an engine, and
    /// the node knows its machine best: its arguments come last on the command line and win.
    package static let reservedOnNode: Set<String> = [
        "--host", "--port", "--uds", "--model", "--served-model-name", "--api-key", "--hf-token", "--config", "--ssl-*",
    ]

    package static func model(_ name: String) -> String? {
        guard name.utf8.allSatisfy(isNameByte), !name.hasPrefix("/"), !name.hasSuffix("/"), !name.hasPrefix("-"),
            !name.split(separator: "/", omittingEmptySubsequences: false).contains(where: { $0.isEmpty || $0 == ".." })
        else {
            return "must look like org/name, of letters, digits and ._-"
        }
        return nil
    }

    /// `s3://bucket/prefix`, an absolute path on the node, or a name on the Hub.
    package static func modelURI(_ uri: String) -> String? {
        if uri.hasPrefix("/") || isHubName(uri) { return nil }
        guard uri.hasPrefix("s3://") else {
            return "must be s3://bucket/prefix, an absolute path or org/name on the Hugging Face Hub"
        }
        let parts = uri.dropFirst(5).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            return "must name a bucket and a prefix: s3://bucket/prefix"
        }
        return nil
    }

    /// `org/name`
    package static func isHubName(_ uri: String) -> Bool {
        uri.count { $0 == "/" } == 1 && model(uri) == nil && !uri.hasPrefix(".")
    }

    package static func gpuMemoryUtilization(_ fraction: Double) -> String? {
        fraction > 0 && fraction <= 1 ? nil : "is \(fraction), must be above 0 and at most 1"
    }

    package static func dtype(_ name: String) -> String? {
        dtypes.contains(name) ? nil : "is \"\(name)\", must be one of \(dtypes.joined(separator: ", "))"
    }

    package static func url(_ text: String) -> String? {
        for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
            let host = text.dropFirst(scheme.count).prefix { $0 != "/" }
            if host.contains("@") { return "must not carry a user name or password" }
            if !host.isEmpty && !text.contains(" ") { return nil }
        }
        return "must be a URL that begins with https:// or http://"
    }

    /// Faults by position, so that the sender can find the argument.
    package static func extraArguments(_ arguments: [String]) -> [(index: Int, problem: String)] {
        faults(arguments, reserved: reservedFlags)
    }

    /// The same for the arguments that this node adds to every assignment.
    package static func nodeArguments(_ arguments: [String]) -> [(index: Int, problem: String)] {
        faults(arguments, reserved: reservedFlags.filter { reservedOnNode.contains($0.key) })
    }

    private static func faults(
        _ arguments: [String], reserved: [String: String]
    ) -> [(index: Int, problem: String)] {
        arguments.enumerated().compactMap { index, argument in
            if argument.utf8.contains(0) { return (index, "contains a NUL") }
            guard argument.hasPrefix("-") else { return nil }
            // vLLM takes underscores for hyphens and `--flag.key=value` for a key of a JSON value; abbreviations it
            // refuses.
            let flag = String(argument.prefix { $0 != "=" && $0 != "." }.map { $0 == "_" ? "-" : $0 })
            let name = flag.hasPrefix("--ssl-") ? "--ssl-*" : flag
            return reserved[name].map { (index, "\(flag) is not allowed here: \($0)") }
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/")].contains(byte)
        }
    }
}
