package import AgentCore

/// Oracle's instance metadata, version 2: where the machine is, and whether its life cycle says that it ends.
///
/// Oracle announces a preemption outside the machine only (its Events service, two minutes ahead), so the first word in
/// it is the power button's, and the control plane may know earlier. What is read here can only add to that.
package struct OracleMetadata: MetadataSource {
    package let name = "oracle"

    private enum Question: String, CaseIterable {
        case state
        case zone = "availabilityDomain"
        case region = "canonicalRegionName"
        case shape
    }

    private static let key = "state"
    private static let every = Duration.seconds(1)

    private let base: String
    private var asked = Question.state
    private var nextAt = BootInstant(nanoseconds: 0)
    private var open: [(question: Question, at: BootInstant)]
    private var place = CloudPlace(.oracle)

    package init(base: String = "http://169.254.169.254") {
        self.base = base
        open = [Question.zone, .region, .shape].map { ($0, BootInstant(nanoseconds: 0)) }
    }

    package mutating func next(at now: BootInstant) -> MetadataStep {
        if nextAt <= now {
            nextAt = now + Self.every
            return ask(.state)
        }
        if let index = open.firstIndex(where: { $0.at <= now }) {
            open[index].at = now + .seconds(10)
            return ask(open[index].question)
        }
        return .wait(until: nextAt)
    }

    private mutating func ask(_ question: Question) -> MetadataStep {
        asked = question
        var query = MetadataQuery("\(base)/opc/v2/instance/\(question.rawValue)")
        query.headers["Authorization"] = "Bearer Oracle"
        return .ask(query)
    }

    package mutating func take(_ answer: MetadataAnswer) -> [SourceFinding] {
        switch (asked, answer) {
        case (.state, .failed(let reason, _)): [.failed(reason: reason)]
        case (.state, .response(let response)): take(state: response)
        case (_, .failed): []
        case (_, .response(let response)): take(place: response)
        }
    }

    /// A word that is not one of an end, known or not, is a life that goes on.
    private func take(state response: MetadataResponse) -> [SourceFinding] {
        guard response.status == 200, let line = response.line, (1...32).contains(line.utf8.count),
            line.utf8.allSatisfy({ $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A || $0 == 0x5F })
        else { return [.failed(reason: response.problem)] }
        switch line.lowercased() {
        case "terminating", "terminated": return [ending(.terminate, line, response.at)]
        case "stopping", "stopped": return [ending(.stop, line, response.at)]
        default: return [.listed(key: Self.key, [])]
        }
    }

    /// It is under way: what is left is what the power button leaves, from the first look on.
    private func ending(_ kind: NoticeKind, _ word: String, _ now: BootInstant) -> SourceFinding {
        .listed(
            key: Self.key, [Sighting(kind, origin: Self.key, deadline: now + Cloud.oracle.softOff, word: word)])
    }

    private mutating func take(place response: MetadataResponse) -> [SourceFinding] {
        guard response.status == 200, let line = response.line, !line.isEmpty, line.utf8.count <= 64 else { return [] }
        switch asked {
        case .state: return []
        case .zone: place.zone = line
        case .region: place.region = line
        case .shape: place.instanceType = line
        }
        let question = asked
        open.removeAll { $0.question == question }
        return [.place(place)]
    }
}
