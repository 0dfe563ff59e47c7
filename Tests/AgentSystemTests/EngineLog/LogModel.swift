internal import AgentTestKit

/// What happens to a log.
enum LogAction: Equatable, CustomStringConvertible {
    case write([UInt8])
    /// Renames the log; the file renamed before is gone.
    case rotate
    /// Copies the log and cuts it, as logrotate does with `copytruncate`.
    case copyTruncate
    /// Appends to the renamed file, as an engine does that has it open.
    case writeRotated([UInt8])
    case create
    /// Cuts to this size, if it is longer.
    case truncate(Int)
    case delete
    /// Points the link at the path to another file.
    case relink(Int)
    case read
    /// Ends the reader, as a kill -9 does; the next one begins at the last checkpoint.
    case restart

    /// Bytes to write pieces of.
    private static let noise: [UInt8] = {
        var random = SeededGenerator(seed: 0)
        return (0..<1 << 19).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }()

    static func random(withLink: Bool, using random: inout SeededGenerator) -> LogAction {
        func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
            let count = Int.random(in: count, using: &random)
            let start = Int.random(in: 0..<1 << 17, using: &random)
            return Array(noise[start..<start + count])
        }
        switch Int.random(in: 0..<64, using: &random) {
        case 0..<20: return .write(bytes(1...300))
        case 20: return .write(bytes(70_000...150_000))
        case 21..<26: return .rotate
        case 26..<29: return .copyTruncate
        case 29..<32: return .writeRotated(bytes(1...300))
        case 32..<35: return .create
        case 35..<38: return .truncate(0)
        case 38..<40: return .truncate(Int.random(in: 1...200, using: &random))
        case 40..<42: return .delete
        case 42..<46: return .restart
        case 46..<50 where withLink: return .relink(Int.random(in: 0..<LogModel.targets, using: &random))
        default: return .read
        }
    }

    var description: String {
        switch self {
        case .write(let bytes): "write \(bytes.count)"
        case .rotate: "rotate"
        case .copyTruncate: "copytruncate"
        case .writeRotated(let bytes): "write-rotated \(bytes.count)"
        case .create: "create"
        case .truncate(let size): "truncate \(size)"
        case .delete: "delete"
        case .relink(let target): "relink \(target)"
        case .read: "read"
        case .restart: "restart"
        }
    }
}

/// What a reader by name can see at best: files are objects, names point at them.
struct LogModel {
    static let targets = 3
    private static let longestEnd = 256

    private final class File {
        var bytes: [UInt8] = []
    }

    /// One name without a link, several that it may lead to with one.
    private var names: [File?] = Array(repeating: nil, count: targets)
    private var current = 0
    private var rotated: File?
    private var open: File?
    private var offset = 0
    /// The end of what was read.
    private var end: [UInt8] = []
    private var last: UInt8?

    private var named: File? {
        get { names[current] }
        set { names[current] = newValue }
    }

    mutating func apply(_ action: LogAction) {
        switch action {
        case .write(let bytes): create().bytes += bytes
        case .rotate:
            guard let file = named else { return }
            rotated = file
            named = nil
        case .copyTruncate:
            guard let file = named else { return }
            let copy = File()
            copy.bytes = file.bytes
            rotated = copy
            file.bytes = []
        case .writeRotated(let bytes): rotated?.bytes += bytes
        case .create: _ = create()
        case .truncate(let size):
            if let file = named, file.bytes.count > size { file.bytes.removeSubrange(size...) }
        case .delete: named = nil
        case .relink(let target): current = target
        case .read: break
        case .restart: restart()
        }
    }

    private mutating func create() -> File {
        let file = named ?? File()
        named = file
        return file
    }

    /// The next reader looks for the bytes that the last one has read, in the files that still have names.
    private mutating func restart() {
        last = nil
        guard let open else { return }
        let reachable = ([named, rotated] + names).compactMap { $0 }
        if offset == 0, reachable.contains(where: { $0 === open }) { return }
        if holds(open), reachable.contains(where: { $0 === open }) { return }
        self.open = offset >= 64 ? reachable.first(where: holds) : nil
        guard self.open == nil else { return }
        offset = 0
        end = []
    }

    private func holds(_ file: File) -> Bool {
        file.bytes.count >= offset && file.bytes[(offset - end.count)..<offset].elementsEqual(end)
    }

    /// The rest of the file that is open, then the file that took its name.
    mutating func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        if let open {
            // Without bytes to tell, a reader does not look, and cannot see that a file was cut in between.
            if !holds(open), !open.bytes.isEmpty || isReplaced {
                offset = 0
                end = []
            }
            bytes += take(open)
        }
        if isReplaced, let named {
            if open != nil, let last = bytes.last ?? last, last != 10, last != 13 { bytes.append(10) }
            open = named
            offset = 0
            end = []
            bytes += take(named)
        }
        last = bytes.last ?? last
        return bytes
    }

    private var isReplaced: Bool { named != nil && named !== open && named?.bytes.isEmpty == false }

    private mutating func take(_ file: File) -> [UInt8] {
        guard offset < file.bytes.count else { return [] }
        let bytes = Array(file.bytes[offset...])
        offset = file.bytes.count
        end = Array(file.bytes.suffix(Self.longestEnd))
        return bytes
    }
}
