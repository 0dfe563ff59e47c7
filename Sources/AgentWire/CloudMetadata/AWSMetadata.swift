package import AgentCore

/// Amazon's instance metadata: spot interruption every second, rebalance advice, scheduled maintenance.
///
/// IMDSv2: a token is fetched first, renewed before it ends, and thrown away when a 401 says so. Where none can be had
/// (the hop limit swallows the answer, or the service is older), version 1 is tried: it answers only where the
/// instance allows it.
package struct AWSMetadata: MetadataSource {
    package let name = "aws"

    private enum Question: Equatable {
        case token
        case action
        /// A second opinion where the action cannot be read.
        case terminationTime
        case rebalance
        case maintenance
        case place(PlaceKey)
    }

    private enum PlaceKey: String, CaseIterable {
        case zone = "placement/availability-zone"
        case region = "placement/region"
        case instanceType = "instance-type"
    }

    private struct Token: Equatable {
        var text: String
        var expiresAt: BootInstant
        var renewAt: BootInstant
    }

    /// Seconds; the longest that is allowed.
    private static let tokenLife = 21_600
    private static let withoutTokenFor = Duration.seconds(30)

    private let base: String
    private var token: Token?
    /// Version 1 until then.
    private var noTokenUntil: BootInstant?
    private var asked = Question.token
    private var urgent: [Question] = []
    private var due: [(question: Question, at: BootInstant)] = []
    private var place = CloudPlace(.aws)
    private var throttledUntil: BootInstant?
    /// A fresh token for the same question, once.
    private var isSecondTry = false

    package init(base: String = "http://169.254.169.254") {
        self.base = base
        let start = BootInstant(nanoseconds: 0)
        due = [(.action, start), (.rebalance, start), (.maintenance, start)]
        due += PlaceKey.allCases.map { (.place($0), start) }
    }

    package mutating func next(at now: BootInstant) -> MetadataStep {
        if let throttledUntil, now < throttledUntil { return .wait(until: throttledUntil) }
        if needsToken(at: now) { return ask(.token) }
        if let question = urgent.first {
            urgent.removeFirst()
            return ask(question)
        }
        // In the order of the list: the interruption before everything else.
        if let index = due.firstIndex(where: { $0.at <= now }) {
            let question = due[index].question
            due[index].at = now + Self.period(question)
            return ask(question)
        }
        return .wait(until: due.map(\.at).min() ?? now + .seconds(1))
    }

    private static func period(_ question: Question) -> Duration {
        switch question {
        case .token, .action, .terminationTime: .seconds(1)
        case .rebalance: .seconds(5)
        case .maintenance: .seconds(60)
        // Until it is known; see `take(place:)`.
        case .place: .seconds(10)
        }
    }

    private func needsToken(at now: BootInstant) -> Bool {
        if let noTokenUntil, now < noTokenUntil { return false }
        guard let token else { return true }
        return now >= token.renewAt
    }

    private mutating func ask(_ question: Question) -> MetadataStep {
        asked = question
        var query = MetadataQuery("\(base)/latest/\(Self.path(question))")
        if question == .token {
            query.method = .put
            query.headers["X-aws-ec2-metadata-token-ttl-seconds"] = String(Self.tokenLife)
        } else if let token {
            query.headers["X-aws-ec2-metadata-token"] = token.text
        }
        return .ask(query)
    }

    private static func path(_ question: Question) -> String {
        switch question {
        case .token: "api/token"
        case .action: "meta-data/spot/instance-action"
        case .terminationTime: "meta-data/spot/termination-time"
        case .rebalance: "meta-data/events/recommendations/rebalance"
        case .maintenance: "meta-data/events/maintenance/scheduled"
        case .place(let key): "meta-data/\(key.rawValue)"
        }
    }

    package mutating func take(_ answer: MetadataAnswer) -> [SourceFinding] {
        switch answer {
        case .failed(let reason, let at):
            if asked == .token { return tokenFailed(at: at) }
            isSecondTry = false
            return isVital ? [.failed(reason: reason)] : []
        case .response(let response):
            if asked == .token { return take(token: response) }
            if response.status != 401 { isSecondTry = false }
            switch response.status {
            case 200: return take(body: response)
            case 404: return absent()
            case 401: return refused(at: response.at)
            case 429:
                throttledUntil = response.at + .seconds(2)
                return isVital ? [.failed(reason: "answered 429: too many requests")] : []
            default: return isVital ? [.failed(reason: "answered \(response.status)")] : []
            }
        }
    }

    /// What is asked every few seconds only must not make the source look blind, nor sighted.
    private var isVital: Bool { asked == .action || asked == .terminationTime }
}

// MARK: Token

extension AWSMetadata {
    private mutating func take(token response: MetadataResponse) -> [SourceFinding] {
        guard response.status == 200, let text = response.line, !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 })
        else {
            return tokenFailed(at: response.at)
        }
        let life = response.headers["x-aws-ec2-metadata-token-ttl-seconds"].flatMap { Int($0) } ?? Self.tokenLife
        let seconds = min(max(life, 1), Self.tokenLife)
        token = Token(
            text: text, expiresAt: response.at + .seconds(seconds),
            renewAt: response.at + .milliseconds(seconds * 900))
        noTokenUntil = nil
        return []
    }

    /// An old token is good until its end; without one, version 1 has to do for a while.
    private mutating func tokenFailed(at now: BootInstant) -> [SourceFinding] {
        if let old = token, now < old.expiresAt {
            token?.renewAt = min(now + Self.withoutTokenFor, old.expiresAt)
        } else {
            token = nil
            noTokenUntil = now + Self.withoutTokenFor
        }
        return []
    }

    private mutating func refused(at now: BootInstant) -> [SourceFinding] {
        let vital = isVital
        guard !isSecondTry else {
            isSecondTry = false
            noTokenUntil = nil
            token = nil
            throttledUntil = now + .seconds(1)
            return vital
                ? [.failed(reason: "answered 401: no usable token (with a hop limit of 1, run on the host's network)")]
                : []
        }
        isSecondTry = true
        token = nil
        noTokenUntil = nil
        urgent.insert(asked, at: 0)
        return []
    }
}

// MARK: What the answers mean

extension AWSMetadata {
    private func absent() -> [SourceFinding] {
        switch asked {
        case .action: [.listed(key: "instance-action", [])]
        // There is an action, and nobody can read it. One that stops the machine has no time there.
        case .terminationTime: [.failed(reason: "answered 200 with an action that is no metadata")]
        case .rebalance: [.noted(key: "rebalance", [])]
        case .maintenance: [.noted(key: "maintenance", [])]
        case .token, .place: []
        }
    }

    private mutating func take(body response: MetadataResponse) -> [SourceFinding] {
        switch asked {
        case .token: return []
        case .action: return take(action: response)
        case .terminationTime: return take(terminationTime: response)
        case .rebalance:
            guard let notice = try? JSONValue.parse(response.body),
                let mark = notice.field("noticeTime")?.stringValue
            else { return [] }
            return [
                .noted(
                    key: "rebalance", [Sighting(.rebalance, origin: "rebalance", deadline: nil, mark: mark)])
            ]
        case .maintenance:
            guard let document = try? JSONValue.parse(response.body) else { return [] }
            // One event by itself is how the local mock's manual shows it.
            guard let events = document.arrayValue ?? (document.field("Code") == nil ? nil : [document]) else {
                return []
            }
            let pending = events.lazy.compactMap { Self.event($0, response) }
            return [.noted(key: "maintenance", Array(pending.prefix(16)))]
        case .place(let key): return take(place: key, response)
        }
    }

    /// An action we have no word for still ends the machine; one without a time we can read does so soon.
    private mutating func take(action response: MetadataResponse) -> [SourceFinding] {
        guard let document = try? JSONValue.parse(response.body), case .object = document else {
            urgent.append(.terminationTime)
            return []
        }
        let word = document.field("action")?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        let time = document.field("time")?.stringValue
        let seconds = time.flatMap { TimeText.parse(utc: $0) }
        guard word != nil || seconds != nil else {
            urgent.append(.terminationTime)
            return []
        }
        let kind = word.flatMap { NoticeKind(rawValue: $0.lowercased()) } ?? .terminate
        // To hibernate begins with the notice, whatever time it names.
        let deadline = kind == .hibernate ? response.at : seconds.flatMap(response.instant)
        let sighting = Sighting(
            kind.endsTheNode ? kind : .terminate, origin: "instance-action", deadline: deadline, mark: time ?? "",
            word: word ?? "")
        return [.listed(key: "instance-action", [sighting])]
    }

    private func take(terminationTime response: MetadataResponse) -> [SourceFinding] {
        // "A value that is not a time value" means that nothing is pending; here something was.
        guard let line = response.line, let seconds = TimeText.parse(line) else {
            return [.failed(reason: response.problem)]
        }
        let sighting = Sighting(
            .terminate, origin: "instance-action", deadline: response.instant(of: seconds), mark: line)
        return [.listed(key: "instance-action", [sighting])]
    }

    private static func event(_ event: JSONValue, _ response: MetadataResponse) -> Sighting? {
        let code = event.field("Code")?.stringValue ?? ""
        let time = event.field("NotBefore")?.stringValue ?? ""
        let name = [event.field("EventId")?.stringValue, code, time].compactMap { $0 }.first { !$0.isEmpty }
        guard let name, !isDone(event) else { return nil }
        let origin = "maintenance/\(name.prefix(128))"
        // Without a time there is nothing to drain towards: it is advice.
        guard let deadline = TimeText.parse(time).flatMap(response.instant) else {
            return Sighting(.rebalance, origin: origin, deadline: nil, word: code)
        }
        let stops = ["instance-stop", "instance-retirement"].contains(code.lowercased())
        return Sighting(stops ? .stop : .maintenance, origin: origin, deadline: deadline, word: code)
    }

    /// Taken back or over, which both the state and the description may say (`[Canceled] scheduled reboot`).
    private static func isDone(_ event: JSONValue) -> Bool {
        let state = event.field("State")?.stringValue?.lowercased() ?? ""
        let description = event.field("Description")?.stringValue?.lowercased() ?? ""
        return ["cancel", "complete"].contains { state.hasPrefix($0) || description.hasPrefix("[" + $0) }
    }

    private mutating func take(place key: PlaceKey, _ response: MetadataResponse) -> [SourceFinding] {
        guard let line = response.line, !line.isEmpty, line.utf8.count <= 64 else { return [] }
        switch key {
        case .zone: place.zone = line
        case .region: place.region = line
        case .instanceType: place.instanceType = line
        }
        due.removeAll { $0.question == .place(key) }
        return [.place(place)]
    }
}
