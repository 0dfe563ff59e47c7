package import AgentCore

/// Google's metadata server by long poll: read first, then wait for a change since what was read.
///
/// A source for each key, because each holds a request. The wait is short: one that hangs for good looks the same as
/// one that waits, and must not cost more than two seconds.
package struct GCPMetadata: MetadataSource {
    package enum Key: String, CaseIterable, Sendable {
        case preempted
        /// Must have been asked for once, or the hour's warning is left out altogether.
        case maintenance = "maintenance-event"
    }

    private enum Question: Equatable {
        case key
        case upcoming
        case zone
        case machineType
    }

    private static let hold = Duration.seconds(1)
    private static let upcomingEvery = Duration.seconds(60)
    /// A GPU machine is told an hour before it is terminated for maintenance.
    private static let gpuWarning = Duration.seconds(3600)

    package var name: String { "gcp-\(key == .preempted ? "preempted" : "maintenance")" }

    private let base: String
    private let key: Key
    /// From `TRUE` to the power button where the VM was created with a notice, else nil.
    private let granted: Duration?
    private var etag: String?
    private var asked = Question.key
    private var notBefore: BootInstant?
    private var askedAt = BootInstant(nanoseconds: 0)
    private var firstTrueAt: BootInstant?
    private var extras: [(question: Question, at: BootInstant)]
    private var place = CloudPlace(.gcp)

    package init(_ key: Key, granted: Duration? = nil, base: String = "http://169.254.169.254") {
        self.key = key
        self.granted = granted
        self.base = base
        let start = BootInstant(nanoseconds: 0)
        extras = key == .preempted ? [(.zone, start), (.machineType, start)] : [(.upcoming, start)]
    }

    package mutating func next(at now: BootInstant) -> MetadataStep {
        // Nothing comes before the first reading of the key itself.
        if etag != nil || notBefore != nil, let index = extras.firstIndex(where: { $0.at <= now }) {
            let question = extras[index].question
            extras[index].at = now + Self.upcomingEvery
            return ask(question)
        }
        if let notBefore, now < notBefore { return .wait(until: notBefore) }
        askedAt = now
        return ask(.key)
    }

    private mutating func ask(_ question: Question) -> MetadataStep {
        asked = question
        var query = MetadataQuery("\(base)/computeMetadata/v1/instance/\(path(question))")
        query.headers["Metadata-Flavor"] = "Google"
        if question == .key, let etag {
            query.url += "?wait_for_change=true&timeout_sec=\(Int(Self.hold.inSeconds))&last_etag=\(etag)"
            query.timeout = .milliseconds(1900)
        }
        return .ask(query)
    }

    private func path(_ question: Question) -> String {
        switch question {
        case .key: key.rawValue
        case .upcoming: "upcoming-maintenance?alt=json"
        case .zone: "zone"
        case .machineType: "machine-type"
        }
    }

    package mutating func take(_ answer: MetadataAnswer) -> [SourceFinding] {
        switch answer {
        case .failed(let reason, let at): return again(after: at, reason)
        case .response(let response):
            switch asked {
            case .key: return take(key: response)
            case .upcoming: return take(upcoming: response)
            case .zone, .machineType: return take(place: response)
            }
        }
    }

    /// What was read before the trouble is old: the key is read afresh.
    private mutating func again(after now: BootInstant, _ reason: String) -> [SourceFinding] {
        guard asked == .key else { return [] }
        etag = nil
        notBefore = now + .seconds(1)
        return [.failed(reason: reason)]
    }

    private mutating func take(key response: MetadataResponse) -> [SourceFinding] {
        guard response.status == 200, let line = response.line, let sightings = sightings(line, at: response.at) else {
            return again(after: response.at, response.problem)
        }
        // What is pending is looked at every second, so that its end is seen as well.
        let isPending = !sightings.isEmpty
        let wasWaiting = etag != nil
        etag = isPending ? nil : response.headers["etag"].flatMap(Self.usable)
        // A server that does not hold the request is asked once a second all the same.
        let isHeld = !wasWaiting || response.at - askedAt >= Self.hold / 2
        notBefore = isPending || etag == nil || !isHeld ? askedAt + .seconds(1) : nil
        return [.listed(key: key.rawValue, sightings)]
    }

    /// As it goes into a URL: percent-encoded but for letters and digits, whatever a server makes its ETags of.
    private static func usable(_ etag: String) -> String? {
        guard (1...64).contains(etag.utf8.count), etag.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        return etag.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + String(byte, radix: 16, uppercase: true)
        }.joined()
    }

    /// nil for a value that is none of the key's.
    private mutating func sightings(_ line: String, at now: BootInstant) -> [Sighting]? {
        switch (key, line.uppercased()) {
        case (.preempted, "FALSE"), (.maintenance, "NONE"):
            firstTrueAt = nil
            return []
        case (.preempted, "TRUE"):
            return [Sighting(.terminate, origin: key.rawValue, deadline: end(granted, at: now), word: line)]
        case (.maintenance, "MIGRATE_ON_HOST_MAINTENANCE"):
            return [Sighting(.freeze, origin: key.rawValue + "/migrate", deadline: nil, word: line)]
        case (.maintenance, "TERMINATE_ON_HOST_MAINTENANCE"):
            return [
                Sighting(.maintenance, origin: key.rawValue, deadline: end(Self.gpuWarning, at: now), word: line)
            ]
        case (.maintenance, let word) where Self.isWord(word):
            // One that we have no word for, and that does not say when: it is told.
            return [Sighting(.rebalance, origin: key.rawValue + "/" + word.lowercased(), deadline: nil, word: line)]
        default:
            return nil
        }
    }

    private static func isWord(_ text: String) -> Bool {
        (4...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x5F }
    }

    private mutating func end(_ warning: Duration?, at now: BootInstant) -> BootInstant? {
        let first = firstTrueAt ?? now
        firstTrueAt = first
        return warning.map { first + $0 }
    }
}

extension GCPMetadata {
    /// Days ahead. 503 before the first notification ever.
    private func take(upcoming response: MetadataResponse) -> [SourceFinding] {
        guard response.status == 200 else { return [] }
        guard let document = try? JSONValue.parse(response.body), case .object = document else {
            return response.line == "NONE" ? [.noted(key: "upcoming", [])] : []
        }
        func text(_ snake: String, _ camel: String) -> String? {
            document.field(snake)?.stringValue ?? document.field(camel)?.stringValue
        }
        let word = text("maintenance_status", "maintenanceStatus") ?? ""
        let isDone = ["complete", "cancel"].contains { word.lowercased().hasPrefix($0) }
        guard !isDone, let start = text("window_start_time", "windowStartTime"),
            let deadline = TimeText.parse(start).flatMap(response.instant)
        else { return [.noted(key: "upcoming", [])] }
        return [
            .noted(
                key: "upcoming",
                [Sighting(.maintenance, origin: "upcoming", deadline: deadline, mark: start, word: word)])
        ]
    }

    /// `projects/1/zones/us-central1-a`, `projects/1/machineTypes/a2-highgpu-1g`.
    private mutating func take(place response: MetadataResponse) -> [SourceFinding] {
        guard response.status == 200, let line = response.line, line.utf8.count <= 256,
            let last = line.split(separator: "/").last.map(String.init)
        else { return [] }
        let question = asked
        extras.removeAll { $0.question == question }
        if question == .zone {
            place.zone = last
            place.region = last.lastIndex(of: "-").map { String(last[..<$0]) }
        } else {
            place.instanceType = last
        }
        return [.place(place)]
    }
}
