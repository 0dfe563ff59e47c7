/// Loads that can be compared: the same bytes to the same kind of machine at the same distance from the store.
package struct LoadKey: Hashable, Sendable {
    package var model: String
    package var gpu: String
    package var region: String

    package init(model: String, gpu: String, region: String) {
        self.model = model
        self.gpu = gpu
        self.region = region
    }

    package init(_ assignment: Assignment) {
        self.init(
            model: assignment.model, gpu: assignment.gpu ?? "unknown", region: assignment.region ?? "unknown")
    }
}

/// One load as it went.
package struct MeasuredLoad: Equatable, Sendable {
    package var concurrency: Int
    package var bytesPerSecond: Double

    package init(concurrency: Int, bytesPerSecond: Double) {
        self.concurrency = concurrency
        self.bytesPerSecond = bytesPerSecond
    }
}

/// What a start has shown about loading.
package enum LoadLesson: Equatable, Sendable {
    case measured(MeasuredLoad)
    /// It failed for want of memory or for starved connections, and is tried again with less.
    case steppedDown([SettingChange])
}

/// Everything that is known of loads of one kind.
package struct LearnedLoads: Equatable, Sendable {
    package static let loadLimit = 12

    /// Oldest first.
    package var loads: [MeasuredLoad]
    /// What a load that failed was stepped down to; nil where none did.
    package var highestConcurrency: Int?
    /// Bytes.
    package var highestMemoryLimit: Int64?

    package init(
        loads: [MeasuredLoad] = [], highestConcurrency: Int? = nil, highestMemoryLimit: Int64? = nil
    ) {
        self.loads = loads.suffix(Self.loadLimit)
        self.highestConcurrency = highestConcurrency
        self.highestMemoryLimit = highestMemoryLimit
    }

    package mutating func take(_ lesson: LoadLesson) {
        switch lesson {
        case .measured(let load): loads = (loads + [load]).suffix(Self.loadLimit)
        case .steppedDown(let changes):
            for change in changes where change.to < change.from || change.from < 0 {
                switch change.setting {
                case .concurrency: highestConcurrency = min(highestConcurrency ?? .max, Int(clamping: change.to))
                case .memoryLimit: highestMemoryLimit = min(highestMemoryLimit ?? .max, change.to)
                }
            }
        }
    }
}

/// Learned loads, kept on disk: at most `keyLimit` kinds; the one that was used longest ago makes room.
package struct LoadHistory: Equatable, Sendable {
    package static let keyLimit = 64

    package struct Entry: Equatable, Sendable {
        package var key: LoadKey
        package var learned: LearnedLoads

        package init(key: LoadKey, learned: LearnedLoads) {
            self.key = key
            self.learned = learned
        }
    }

    /// The one used last stands at the end.
    package private(set) var entries: [Entry]

    package init(entries: [Entry] = []) { self.entries = entries.suffix(Self.keyLimit) }

    package mutating func take(_ lesson: LoadLesson, for key: LoadKey) {
        var learned = self[key] ?? LearnedLoads()
        learned.take(lesson)
        self = LoadHistory(entries: entries.filter { $0.key != key } + [Entry(key: key, learned: learned)])
    }

    package subscript(_ key: LoadKey) -> LearnedLoads? { entries.first { $0.key == key }?.learned }
}
