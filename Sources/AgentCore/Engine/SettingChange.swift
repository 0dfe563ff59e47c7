/// A setting that the next try is made with, because the last one failed for it.
package struct SettingChange: Equatable, Sendable {
    package var setting: StreamerSetting
    package var from: Int64
    package var to: Int64

    package init(setting: StreamerSetting, from: Int64, to: Int64) {
        self.setting = setting
        self.from = from
        self.to = to
    }
}

extension SettingChange {
    /// Fewer connections than this are not what starves a link.
    private static let lowestConcurrency: Int64 = 4
    /// Bytes; below this the limit is not what filled the machine.
    private static let lowestMemoryLimit: Int64 = 1 << 30
    /// Bytes: the guide's own, for a limit that was none.
    private static let usualMemoryLimit: Int64 = 5 << 30

    /// Empty where no change is known that helps, or none is left.
    static func after(_ report: FailureReport, of assignment: Assignment) -> [SettingChange] {
        switch report.failure {
        case .memoryLimitTooSmall: [memoryLimit(assignment, named: report.message)].compactMap(\.self)
        case .hostOutOfMemory: [lowerMemoryLimit(assignment), lowerConcurrency(assignment)].compactMap(\.self)
        case .weightsUnreadable: [lowerConcurrency(assignment)].compactMap(\.self)
        default: []
        }
    }

    /// The streamer names what it needs: `Memory limit supplied: 1000 cannot be smaller than: 2608`.
    private static func memoryLimit(_ assignment: Assignment, named message: String) -> SettingChange? {
        let words = message.split(separator: " ")
        guard let than = words.lastIndex(of: "than:"), words.index(after: than) < words.endIndex,
            let needed = Int64(words[words.index(after: than)].prefix(while: \.isWholeNumber)),
            AssignmentRules.streamerMemoryLimit.contains(needed), needed > assignment.streamerMemoryLimit
        else { return nil }
        return SettingChange(setting: .memoryLimit, from: assignment.streamerMemoryLimit, to: needed)
    }

    private static func lowerMemoryLimit(_ assignment: Assignment) -> SettingChange? {
        let limit = assignment.streamerMemoryLimit
        let lower = limit < 0 ? usualMemoryLimit : max(lowestMemoryLimit, limit / 2)
        guard limit < 0 || lower < limit else { return nil }
        return SettingChange(setting: .memoryLimit, from: limit, to: lower)
    }

    private static func lowerConcurrency(_ assignment: Assignment) -> SettingChange? {
        let concurrency = Int64(assignment.streamerConcurrency)
        let lower = max(lowestConcurrency, concurrency / 2)
        guard assignment.useRunaiStreamer, lower < concurrency else { return nil }
        return SettingChange(setting: .concurrency, from: concurrency, to: lower)
    }
}

extension Assignment {
    /// Decided from then on: neither the tuner nor a default comes back to it.
    package func with(_ changes: [SettingChange]) -> Assignment {
        changes.reduce(into: self) { assignment, change in
            if assignment.replacedSettings == nil { assignment.replacedSettings = assignment.streamerSettings }
            assignment.givenStreamerSettings.insert(change.setting)
            switch change.setting {
            case .concurrency: assignment.streamerConcurrency = Int(change.to)
            case .memoryLimit: assignment.streamerMemoryLimit = change.to
            }
        }
    }
}

extension FailureReport {
    /// Whether another try can help; these are the settings it would be made with.
    func canPass(with changes: [SettingChange]) -> Bool {
        switch failure.retryPolicy {
        case .final: false
        case .retry: true
        // Memory and links get better by themselves, too; a limit does not.
        case .retryChanged: !changes.isEmpty || failure != .memoryLimitTooSmall
        }
    }
}
