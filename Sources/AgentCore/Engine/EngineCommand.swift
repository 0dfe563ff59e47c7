/// Where and how this node runs an engine; the part of the command that no assignment may change.
package struct EnginePlacement: Equatable, Sendable {
    /// Address the engine listens on.
    package var address: String
    package var port: UInt16
    /// Arguments of this node's own, such as `--enforce-eager` on a machine without a GPU.
    package var extraArguments: [String]
    /// Seconds the engine may go on decoding after SIGTERM.
    package var drainSeconds: Int
    /// What the node wants of each.
    package var savings = StartSaving.Wishes()

    package init(address: String, port: UInt16, extraArguments: [String], drainSeconds: Int) {
        self.address = address
        self.port = port
        self.extraArguments = extraArguments
        self.drainSeconds = drainSeconds
    }
}

/// Renders an assignment as arguments of the *installed* vLLM: flags come and go between releases.
package enum EngineCommand {
    /// Arguments after the executable. Nothing here is secret: credentials travel in the environment.
    package static func arguments(
        for assignment: Assignment, on install: EngineInstall, placement: EnginePlacement,
        loading: WeightLoading? = nil
    ) -> [String] {
        let version = install.effectiveVLLM
        var arguments = ["serve", assignment.modelURI]
        let loading = loading ?? WeightLoading(plain: assignment)
        if loading.format != .files { arguments += ["--load-format", loading.format.rawValue] }
        if loading.format == .streamer {
            let config = loaderConfig(assignment, version: version, isDistributed: loading.isDistributed)
            arguments += ["--model-loader-extra-config", config]
        }
        arguments += ["--served-model-name", assignment.model]
        arguments += ["--gpu-memory-utilization", plain(assignment.gpuMemoryUtilization)]
        arguments += ["--dtype", assignment.dtype]
        arguments += ["--tensor-parallel-size", String(assignment.tensorParallelSize)]
        arguments.append("--enable-chunked-prefill")
        // `/load` counts requests in flight. An engine that drops them on SIGTERM is asked for the same in `/metrics`,
        // which is empty without the statistics.
        if drains(install) || !assignment.useSpot { arguments.append("--disable-log-stats") }
        if drains(install), assignment.useSpot { arguments.append(loadTracking) }
        if let length = assignment.maxModelLength { arguments += ["--max-model-len", String(length)] }
        // Before 0.10.1 every prompt is written to the log unless told otherwise; later the flag goes away.
        if version < EngineVersion(0, 10, 1) { arguments.append("--disable-log-requests") }
        if drains(install) { arguments += ["--shutdown-timeout", String(placement.drainSeconds)] }
        arguments += ["--host", placement.address, "--port", String(placement.port)]
        let given = assignment.extraArguments + placement.extraArguments
        for saving in placement.savings.savings(for: assignment, on: install, node: placement.extraArguments) {
            arguments += saving.arguments(given)
        }
        return arguments + given
    }

    private static let loadTracking = "--enable-server-load-tracking"

    /// Whether `/load` counts. Without, vLLM has the endpoint as well, and it says zero.
    package static func tracksLoad(_ arguments: [String]) -> Bool { arguments.contains(loadTracking) }

    /// Whether SIGTERM lets requests in flight come to their end.
    package static func drains(_ install: EngineInstall) -> Bool {
        install.effectiveVLLM >= EngineVersion(0, 18)
    }

    /// What such a command lets requests in flight have after SIGTERM; nil where they are dropped. As argparse has it,
    /// the last one counts: an operator's own arguments come after the agent's.
    package static func drainSeconds(in arguments: [String]) -> Int? {
        let flag = "--shutdown-timeout"
        var found: Int?
        for (index, argument) in arguments.enumerated() {
            if argument == flag, index + 1 < arguments.count { found = Int(arguments[index + 1]) ?? found }
            if argument.hasPrefix(flag + "=") { found = Int(argument.dropFirst(flag.count + 1)) ?? found }
        }
        return found.flatMap { $0 > 0 ? $0 : nil }
    }

    /// vLLM 0.23 and 0.24 refuse 0 and -1 here; the environment carries the limit for them instead.
    static func limitGoesInConfig(_ limit: Int64, version: EngineVersion) -> Bool {
        limit > 0 || version < EngineVersion(0, 23) || version >= EngineVersion(0, 25)
    }

    private static func loaderConfig(
        _ assignment: Assignment, version: EngineVersion, isDistributed: Bool
    ) -> String {
        var fields = ["\"concurrency\":\(assignment.streamerConcurrency)"]
        if limitGoesInConfig(assignment.streamerMemoryLimit, version: version) {
            fields.append("\"memory_limit\":\(assignment.streamerMemoryLimit)")
        }
        if isDistributed { fields.append("\"distributed\":true") }
        return "{\(fields.joined(separator: ","))}"
    }

    private static func plain(_ number: Double) -> String {
        number == number.rounded() ? String(Int(number)) : String(number)
    }
}
