package enum NoticeKind: String, CaseIterable, Sendable {
    case terminate
    case stop
    case hibernate
    /// The machine restarts or moves; the model is gone either way.
    case maintenance
    /// The system goes down and nobody said why.
    case shutdown
    /// A pause of seconds, then it goes on.
    case freeze
    /// The cloud thinks a notice is likely.
    case rebalance

    /// Whether the machine is lost for the model. The rest is reported and changes nothing.
    package var endsTheNode: Bool {
        switch self {
        case .terminate, .stop, .hibernate, .maintenance, .shutdown: true
        case .freeze, .rebalance: false
        }
    }
}

/// One thing a source shows at one look.
package struct Sighting: Equatable, Sendable {
    /// The same over looks, as far as the source can tell: Azure's EventId, or the name of the key.
    package var origin: String
    package var kind: NoticeKind
    /// nil where the source does not say when.
    package var deadline: BootInstant?
    /// What becomes part of the notice's id: the time as the source writes it.
    package var mark: String
    /// The source's own word for it, at most 64 characters.
    package var word: String

    package init(_ kind: NoticeKind, origin: String, deadline: BootInstant?, mark: String = "", word: String = "") {
        self.origin = origin
        self.kind = kind
        self.deadline = deadline
        self.mark = String(mark.prefix(64))
        self.word = String(word.prefix(64))
    }
}

/// What the node was told about its end.
package struct Notice: Equatable, Sendable {
    /// Stable over looks and over restarts of the agent.
    package var id: String
    package var kind: NoticeKind
    /// Who said so first, such as `aws`, `logind`, `control_plane`.
    package var source: String
    package var firstSeenAt: BootInstant
    /// The earliest that any source has named. On the boot clock: no step of the wall clock moves it.
    package var deadline: BootInstant
    package var word: String
    /// The sighting it began with; empty where that is not known any more.
    package var origin: String

    package init(
        id: String, kind: NoticeKind, source: String, firstSeenAt: BootInstant, deadline: BootInstant, word: String,
        origin: String = ""
    ) {
        self.origin = origin
        self.id = id
        self.kind = kind
        self.source = source
        self.firstSeenAt = firstSeenAt
        self.deadline = deadline
        self.word = word
    }
}

/// How a source is doing.
package struct SourceHealth: Equatable, Sendable {
    package enum State: String, Sendable {
        /// Not asked long enough to tell.
        case starting
        case ok
        /// It cannot see: a notice would be missed.
        case blind
    }

    package var name: String
    package var state: State
    /// When this state began.
    package var since: BootInstant
    package var lastAnswerAt: BootInstant?
    /// Why it is blind.
    package var reason: String?

    package init(name: String, since: BootInstant) {
        self.name = name
        state = .starting
        self.since = since
    }
}

/// What one look of a source was worth.
package enum SourceFinding: Equatable, Sendable {
    /// It is asked from now on.
    case begun
    /// It is not asked any more: this is not its cloud.
    case ended
    /// Everything that is pending under this key; what is not among it is not pending any more.
    case listed(key: String, [Sighting])
    /// The same of a key beside the one that matters: it says nothing about whether the source can see.
    case noted(key: String, [Sighting])
    /// The source itself says that nothing is pending under this key any more.
    case over(key: String)
    /// No usable answer.
    case failed(reason: String)
    /// Where the machine is, as its own metadata says.
    case place(CloudPlace)
}
