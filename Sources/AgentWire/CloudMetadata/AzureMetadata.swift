package import AgentCore

/// Azure's Scheduled Events, every second.
///
/// The first question switches the service on and may be answered after two minutes, so it is given more time. A
/// version that the region does not have answers 404; then the older one is asked.
package struct AzureMetadata: MetadataSource {
    package let name = "azure"

    private enum Question: Equatable {
        case events
        case compute
        case start(eventIDs: [String])
    }

    private struct Event: Equatable {
        /// nil for one without: it counts, and cannot be approved.
        var id: String?
        var origin: String
        var kind: NoticeKind
        var resources: Int
        /// Seconds; -1 when nobody knows.
        var length: Int64
        var firstSeenAt: BootInstant
        /// When it was first seen under way.
        var startedAt: BootInstant?
    }

    private static let versions = ["2024-07-09", "2020-07-01"]
    private static let key = "scheduledevents"
    private static let every = Duration.seconds(1)
    /// Longer than this is no pause that requests survive.
    private static let shortFreeze: Int64 = 10

    private let base: String
    private var version = 0
    private var asked = Question.events
    private var nextAt = BootInstant(nanoseconds: 0)
    private var nextComputeAt = BootInstant(nanoseconds: 0)
    private var hasAnswered = false
    private var ownName: String?
    private var known: [Event] = []
    private var toStart: [String] = []
    /// How often a cloud that did not hear an approval is told again.
    private var approvalsLeft = Self.approvals
    private static let approvals = 3

    package init(base: String = "http://169.254.169.254") {
        self.base = base
    }

    package mutating func next(at now: BootInstant) -> MetadataStep {
        // Before the first events: without it they may be those of a neighbour.
        if ownName == nil, nextComputeAt <= now {
            nextComputeAt = now + .seconds(5)
            return ask(.compute)
        }
        if !toStart.isEmpty, approvalsLeft > 0 {
            approvalsLeft -= 1
            return ask(.start(eventIDs: toStart))
        }
        if nextAt <= now {
            nextAt = now + Self.every
            return ask(.events)
        }
        return .wait(until: ownName == nil ? min(nextAt, nextComputeAt) : nextAt)
    }

    private mutating func ask(_ question: Question) -> MetadataStep {
        asked = question
        var query = MetadataQuery("\(base)/metadata/scheduledevents?api-version=\(Self.versions[version])")
        query.headers["Metadata"] = "true"
        switch question {
        case .events:
            if !hasAnswered { query.timeout = .seconds(8) }
        case .compute:
            query.url = "\(base)/metadata/instance/compute?api-version=2021-02-01"
        case .start(let eventIDs):
            query.method = .post
            query.headers["Content-Type"] = "application/json"
            let requests = eventIDs.map { JSONValue.object(["EventId": .string($0)]) }
            query.body = JSONValue.object(["StartRequests": .array(requests)]).rendered()
        }
        return .ask(query)
    }

    package mutating func take(_ answer: MetadataAnswer) -> [SourceFinding] {
        switch (asked, answer) {
        case (.events, .failed(let reason, _)):
            return [.failed(reason: hasAnswered ? reason : "not enabled yet, which may take two minutes: \(reason)")]
        case (.events, .response(let response)): return take(events: response)
        case (.compute, .response(let response)): return take(compute: response)
        case (.start, .response(let response)) where response.status == 200:
            toStart = []
            return []
        case (.compute, .failed), (.start, _): return []
        }
    }

    private mutating func take(events response: MetadataResponse) -> [SourceFinding] {
        hasAnswered = true
        if response.status == 404 || response.status == 400, version + 1 < Self.versions.count {
            version += 1
            nextAt = response.at
            return []
        }
        guard response.status == 200, let document = try? JSONValue.parse(response.body),
            let events = document.field("Events")?.arrayValue
        else { return [.failed(reason: response.problem)] }
        var sightings: [Sighting] = []
        var kept: [Event] = []
        // A placement group may have a hundred machines, all with events of their own.
        for value in events where kept.count < 64 {
            guard let (sighting, event) = read(value, response) else { continue }
            sightings.append(sighting)
            kept.append(event)
        }
        known = kept
        return [.listed(key: Self.key, sightings)]
    }

    private func read(_ value: JSONValue, _ response: MetadataResponse) -> (Sighting, Event)? {
        let type = value.field("EventType")?.stringValue ?? ""
        let time = TimeText.parse(utc: value.field("NotBefore")?.stringValue ?? "")
        // What neither says what it is nor when is no event.
        guard !type.isEmpty || time != nil, isOurs(value) else { return nil }
        let id = value.field("EventId")?.stringValue.flatMap { $0.isEmpty || $0.utf8.count > 128 ? nil : $0 }
        let origin = "\(Self.key)/\(id ?? type)"
        let earlier = known.first { $0.origin == origin }
        var event = Event(
            id: id, origin: origin, kind: Self.kind(type),
            resources: value.field("Resources")?.arrayValue?.count ?? 0,
            length: value.field("DurationInSeconds")?.integerValue ?? -1,
            firstSeenAt: earlier?.firstSeenAt ?? response.at, startedAt: earlier?.startedAt)
        if value.field("EventStatus")?.stringValue?.lowercased() == "started" {
            event.startedAt = event.startedAt ?? response.at
        }
        let deadline = deadline(of: event, type, named: time.flatMap(response.instant))
        return (Sighting(event.kind, origin: origin, deadline: deadline, word: type), event)
    }

    /// NotBefore is the earliest that an event begins. One that has begun, by itself or because a neighbour agreed, or
    /// whose time is past, may end the machine at any moment.
    private func deadline(of event: Event, _ type: String, named: BootInstant?) -> BootInstant? {
        let soonest = Cloud.azure.shortestNotice
        var deadlines = named.map { [$0 < event.firstSeenAt ? event.firstSeenAt + soonest : $0] } ?? []
        if let startedAt = event.startedAt { deadlines.append(startedAt + soonest) }
        // Evictions are said to leave 30 seconds and often leave less than 10.
        if type.lowercased() == "preempt" { deadlines.append(event.firstSeenAt + soonest) }
        return deadlines.min()
    }

    /// Events of a whole placement group come to each of its machines.
    private func isOurs(_ value: JSONValue) -> Bool {
        guard let resources = value.field("Resources")?.arrayValue, !resources.isEmpty else { return true }
        guard let ownName else { return resources.count == 1 }
        return resources.contains { $0.stringValue?.lowercased() == ownName.lowercased() }
    }

    private static func kind(_ type: String) -> NoticeKind {
        switch type.lowercased() {
        case "freeze": .freeze
        case "reboot", "redeploy": .maintenance
        case "spotrebalancerecommendation": .rebalance
        default: .terminate
        }
    }

    private mutating func take(compute response: MetadataResponse) -> [SourceFinding] {
        guard response.status == 200, let document = try? JSONValue.parse(response.body),
            let name = document["name"]?.stringValue, !name.isEmpty
        else { return [] }
        ownName = name
        func text(_ field: String) -> String? {
            document[field]?.stringValue.flatMap { $0.isEmpty || $0.utf8.count > 64 ? nil : $0 }
        }
        return [
            .place(CloudPlace(.azure, region: text("location"), zone: text("zone"), instanceType: text("vmSize")))
        ]
    }

    /// Approving lets an event go ahead for every machine it names, so only those for this one alone are approved. The
    /// notice is one, whatever ends the node; a pause is approved by itself.
    package mutating func approve(noticeID: String) {
        let approved = known.first { noticeID == "\(name)/\($0.origin)" }
        for event in known where event.resources <= 1 {
            if event.kind == .freeze {
                guard event == approved, (0..<Self.shortFreeze).contains(event.length) else { continue }
            } else if !event.kind.endsTheNode || approved?.kind == .freeze {
                continue
            }
            if let id = event.id, !toStart.contains(id) { toStart.append(id) }
        }
        approvalsLeft = Self.approvals
    }
}
