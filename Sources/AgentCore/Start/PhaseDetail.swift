extension StartFindings {
    /// What is worth knowing about a phase, in a few words; nil where its seconds say it all.
    func detail(of phase: Phase) -> String? {
        let parts: [String?] =
            switch phase {
            case .engineConfig: [architecture]
            case .engineImport: [launched, refused, notRestored]
            case .engineCoreSpawn: [spawned]
            case .workerSpawn: [ranks > 1 ? "\(ranks) ranks" : nil]
            case .weightsStream: [progress, streamed.map { "streamer: \(Quantity.bytes($0.bytes))" }]
            case .weightsDone: [loadedGib.map { "\(Quantity.short($0)) GiB of GPU memory" }]
            case .compile: compilation
            case .kvProfile: [kvCache, concurrency.map { "\(Quantity.short($0))x concurrency" }]
            case .graphCapture: [graphs > 0 ? "\(graphs) graphs" : nil]
            case .serverListening: [url]
            default: []
            }
        let known = parts.compactMap(\.self)
        return known.isEmpty ? nil : known.joined(separator: ", ")
    }

    private var progress: String? {
        guard items > 0 else { return nil }
        let unit = unit.map { " \($0.rawValue)" } ?? ""
        return done == items ? "\(items)\(unit)" : "\(done) of \(items)\(unit)"
    }

    private var compilation: [String?] {
        let cache: String? =
            switch (cacheHits > 0, cacheMisses > 0) {
            case (true, true): "cache hit in part"
            case (true, false): "cache hit"
            case (false, true): "cache miss"
            case (false, false): nil
            }
        return [cache, bytecodeSeconds.map { "Dynamo \(Quantity.short($0)) s" }]
    }

    private var kvCache: String? {
        kvTokens.map { "\($0) tokens" } ?? kvBlocks.map { "\($0) blocks" }
    }
}

/// Numbers for people.
package enum Quantity {
    /// Two decimals at most, none for whole numbers.
    package static func short(_ number: Double) -> String {
        guard abs(number) < 1e12 else { return "\(number)" }
        let hundredths = Int64((abs(number) * 100).rounded())
        let sign = number < 0 && hundredths > 0 ? "-" : ""
        let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
        if rest == 0 { return "\(sign)\(whole)" }
        return rest % 10 == 0 ? "\(sign)\(whole).\(rest / 10)" : "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// `1.5 GiB`, one decimal.
    package static func bytes(_ bytes: Double) -> String {
        var amount = bytes
        var unit = "B"
        for larger in ["KiB", "MiB", "GiB", "TiB"] where abs(amount) >= 1024 {
            amount /= 1024
            unit = larger
        }
        let tenths = Int64((min(abs(amount), 1e9) * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
    }
}
