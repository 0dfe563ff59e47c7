/// Which parts are still to be fetched, and which files are whole with the last of them.
package struct DownloadBoard: Equatable, Sendable {
    private var waiting: ArraySlice<DownloadPart>
    private var there: [String: PartSet]
    private var left: [String: Int]

    package init(_ plan: DownloadPlan) {
        waiting = plan.missing[...]
        there = plan.begun
        left = waiting.reduce(into: [:]) { $0[$1.file.name, default: 0] += 1 }
    }

    /// nil when nothing is left to hand out.
    package mutating func next() -> DownloadPart? { waiting.popFirst() }

    /// True when its file is whole with it.
    package mutating func landed(_ part: DownloadPart) -> Bool {
        there[part.file.name, default: PartSet()].insert(part.number)
        left[part.file.name, default: 1] -= 1
        return left[part.file.name] == 0
    }

    /// All of it again, for a file that came whole and wrong.
    package mutating func again(_ file: ModelFile) {
        let parts = (0..<DownloadPlan.parts(of: file)).map { DownloadPart(file: file, number: $0) }
        waiting = parts + waiting
        there[file.name] = PartSet()
        left[file.name] = parts.count
    }

    package func parts(of file: ModelFile) -> PartSet { there[file.name] ?? PartSet() }
}
