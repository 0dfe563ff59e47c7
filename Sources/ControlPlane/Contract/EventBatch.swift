internal import AgentWire

/// A batch of events (CloudEvents JSON batch format): an array, each element judged by itself.
///
/// One bad event must not hold up the others: what is refused here is set aside there.
struct EventBatch: Sendable {
    enum Item: Sendable {
        case event(ReportedEvent)
        /// The id, where it could be read.
        case refused(id: String?, InvalidDocument)
    }

    static let maximumEvents = 64
    static let maximumBytes = 256 << 10

    let items: [Item]

    /// - Throws: what is wrong with the batch as a whole.
    init(_ elements: [(value: JSONValue, text: String)], of node: String) throws(Problem) {
        guard elements.count <= Self.maximumEvents else {
            throw .contentTooLarge("a batch may have at most \(Self.maximumEvents) events, this one has \(elements.count)")
        }
        items = elements.map { element in
            do throws(InvalidDocument) {
                return .event(try ReportedEvent(element.value, text: element.text, of: node))
            } catch {
                return .refused(id: element.value["id"]?.stringValue, error)
            }
        }
    }

    var events: [ReportedEvent] {
        items.compactMap { item in
            guard case .event(let event) = item else { return nil }
            return event
        }
    }

    /// What became of each, in the order of the batch; `outcomes` are those of `events`.
    func results(_ outcomes: [EventOutcome]) -> JSONValue {
        var outcomes = outcomes[...]
        return .object([
            "results": .array(
                items.map { item in
                    switch item {
                    case .event(let event):
                        let status: Int64 = outcomes.popFirst() == .accepted ? 202 : 200
                        return .object(["id": .string(event.id), "status": .integer(status)])
                    case .refused(let id, let document):
                        return .object([
                            "id": id.map(JSONValue.string) ?? .null, "status": .integer(422),
                            "errors": Problem.errors(document.faults),
                        ])
                    }
                })
        ])
    }
}
