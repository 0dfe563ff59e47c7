/// How many streamer clients, and how many connections of a download, fill a link.
struct ConcurrencyFit {
    var assignment: Assignment
    var row: TuningMatrix.Row?
    var link: LinkExpectation?
    /// Seconds.
    var firstByte: Double?
    /// Bytes.
    var chunk: Int
    var streamer: EngineVersion?
    var cores: Int?
    var learned: LearnedLoads?

    /// Of one connection to a store on the internet, in bytes a second: what one TCP flow carries at some tens of
    /// milliseconds. Too low costs a few idle connections; too high leaves the link idle.
    private static let flowRate = 150e6
    /// What the streamer itself has been seen to reach, in bytes a second, on any link.
    private static let streamerCeiling = 7.5e9
    /// Links are not steady: too many connections cost little, too few cost much.
    private static let headroom = 2
    /// Beyond this the guide and the streamer's own benchmarks see no more speed.
    static let highest = 64
    /// The streamer's own default for object stores.
    private static let lowest = 8

    /// Connections of one unit of concurrency that are busy at a time (`scripts/bench loading`: 16 at 1, 27 at 2, 45 at
    /// 8). Before 0.14 a unit was a thread with one.
    private var busyConnections: Int { streamer.map { $0 < EngineVersion(0, 14) } == true ? 1 : 10 }

    var concurrency: Chosen<Int> {
        guard !assignment.givenStreamerSettings.contains(.concurrency) else {
            return Chosen(assignment.streamerConcurrency, "given by the assignment or by the node's settings")
        }
        let modelled = modelled
        guard let learned else { return modelled }
        return learned.concurrency(instead: modelled, linkBytesPerSecond: link.map { $0.speed / 8 }, atMost: mostHere)
    }

    /// Connections that fill the link: rate × (first byte + transfer of a chunk) ÷ chunk.
    private var modelled: Chosen<Int> {
        guard let link, let firstByte else {
            if let row { return Chosen(row.concurrency, "the guide's row \(row.name); the link's speed is not known") }
            return Chosen(assignment.streamerConcurrency, "the default: neither the link's speed nor the GPU is known")
        }
        let rate = min(link.speed / 8, Self.streamerCeiling)
        let connections = Self.connections(rate: rate, firstByte: firstByte, chunk: chunk)
        var reason =
            "\(connections) busy connections fill \(LinkExpectation.tenths(rate * 8 / 1e9)) Gbit/s at"
            + " \(Int(firstByte * 1000)) ms to the first byte"
        if let row { reason += "; the guide's row \(row.name) says \(row.concurrency)" }
        let wanted = max(
            Self.powerOfTwo(nearest: Double(connections * Self.headroom) / Double(busyConnections)),
            row?.concurrency ?? Self.lowest)
        let chosen = min(max(wanted, Self.lowest), Self.highest)
        guard chosen > mostHere else { return Chosen(chosen, reason) }
        return Chosen(mostHere, "\(reason); \(cores ?? 0) cores carry TLS for no more")
    }

    private var mostHere: Int { cores.map { max(Self.lowest, $0 * 8) } ?? Self.highest }

    /// A download's requests are one connection each, with larger parts.
    func downloadConnections(atMost most: Int, usual: Int) -> Chosen<Int> {
        guard let link, let firstByte else { return Chosen(usual, "the usual: the link's speed is not known") }
        let part = Int(DownloadPlan.partBytes)
        let needed = Self.connections(rate: link.speed / 8, firstByte: firstByte, chunk: part) * Self.headroom
        return Chosen(
            min(max(needed, Self.lowest), most),
            "twice what fills \(LinkExpectation.tenths(link.speed / 1e9)) Gbit/s with parts of 16 MiB")
    }

    private static func connections(rate: Double, firstByte: Double, chunk: Int) -> Int {
        Int((rate * (firstByte + Double(chunk) / flowRate) / Double(chunk)).rounded(.up))
    }

    /// The nearest by ratio. Rounded up, a link that sits on the edge between two would get one or the other by chance.
    private static func powerOfTwo(nearest about: Double) -> Int {
        guard about > 1 else { return 1 }
        let below = about.binade
        return Int(about * about < 2 * below * below ? below : 2 * below)
    }
}
