package import AgentCore

/// The handover as the JSON of a file that only the agent's user may read.
package enum HandoverCodec {
    package static let maximumBytes = 1 << 20

    /// `origin` is where in the engine's log this execution begins; nil where there was no log yet.
    package static func render(_ handover: Handover, origin: LogCheckpoint?) -> [UInt8] {
        var fields: [String: JSONValue] = [
            "assignment": AssignmentCodec.encode(handover.assignment),
            "failures": .integer(Int64(handover.restarts.failures)),
            "restarts": .integer(Int64(handover.restarts.restarts)),
            "timeline": .array(
                handover.timeline.marks.map {
                    .object([
                        "phase": .string($0.phase.rawValue), "at_ns": .integer($0.at.nanoseconds),
                        "source": .string($0.source.rawValue),
                    ])
                }),
        ]
        if handover.assignment.replacedSettings != nil {
            fields["received"] = AssignmentCodec.encode(handover.assignment.asReceived)
        }
        fields["canary_ns"] = (handover.canaryTook?.inNanoseconds).map(JSONValue.integer)
        fields["log"] = origin.flatMap { try? JSONValue.parse(LogCheckpointCodec.encode($0)) }
        return JSONValue.object(fields).rendered()
    }

    /// nil for bytes that are no handover: the successor then begins anew.
    package static func parse(_ bytes: [UInt8]) -> (handover: Handover, log: LogStart)? {
        guard let document = try? JSONValue.parse(bytes), var wish = assignment(document["assignment"])
        else { return nil }
        wish.replacedSettings = assignment(document["received"])?.streamerSettings
        let restarts = RestartPolicy(
            failures: count(document["failures"]), restarts: count(document["restarts"]))
        let handover = Handover(
            assignment: wish, timeline: timeline(document["timeline"]),
            canaryTook: (document["canary_ns"]?.integerValue).map(Duration.nanoseconds), restarts: restarts)
        let origin = document["log"].flatMap { LogCheckpointCodec.decode($0.rendered()) }
        return (handover, origin.map(LogStart.checkpoint) ?? .beginning)
    }

    private static func assignment(_ value: JSONValue?) -> Assignment? {
        value.flatMap { try? AssignmentCodec.decode($0.rendered(), defaults: AssignmentDefaults()) }
    }

    private static func count(_ value: JSONValue?) -> Int {
        Int(clamping: max(0, value?.integerValue ?? 0))
    }

    private static func timeline(_ value: JSONValue?) -> Timeline {
        var timeline = Timeline()
        for mark in value?.arrayValue ?? [] {
            guard let phase = mark["phase"]?.stringValue.flatMap(Phase.init(rawValue:)),
                let source = mark["source"]?.stringValue.flatMap(Timeline.Source.init(rawValue:)),
                let at = mark["at_ns"]?.integerValue
            else { continue }
            timeline.record(phase, at: BootInstant(nanoseconds: at), source: source)
        }
        return timeline
    }
}

/// What an event that was not delivered yet says about the start it belongs to.
package struct ReportedStart: Equatable, Sendable {
    /// Such as `phase`; the word in the event's type.
    package var kind: String
    package var generation: Int64
    package var timeline: Timeline

    /// nil for a body that is no event of a node with an assignment.
    package init?(event body: [UInt8]) {
        guard let event = try? JSONValue.parse(body), let data = event["data"],
            let generation = data["generation"]?.integerValue,
            let kind = event["type"]?.stringValue?.split(separator: ".").dropLast().last
        else { return nil }
        self.kind = String(kind)
        self.generation = generation
        timeline = Timeline()
        for mark in data["timeline"]?.arrayValue ?? [] {
            guard let phase = mark["phase"]?.stringValue.flatMap(Phase.init(rawValue:)),
                let source = mark["source"]?.stringValue.flatMap(Timeline.Source.init(rawValue:)),
                let at = mark["at_s"]?.numberValue
            else { continue }
            timeline.record(phase, at: BootInstant(nanoseconds: Int64((at * 1e9).rounded())), source: source)
        }
    }
}
