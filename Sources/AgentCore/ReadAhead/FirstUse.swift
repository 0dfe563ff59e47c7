/// When a start needs a file of a Python environment for the first time, told by the order in which it imports modules.
///
/// On a disk that is slower than the imports, what is read in this order is there when it is asked for; in any other
/// the imports wait behind what they do not need yet.
package struct FirstUse: Sendable {
    /// Modules by their full names: their places in the order.
    private let places: [String: Int]

    /// `modules` in the order of their imports, such as `torch._C`. Of a name that comes twice the first time counts.
    package init(modules: [String]) {
        places = Dictionary(modules.enumerated().map { ($1, $0) }, uniquingKeysWith: min)
    }

    /// Lower is earlier. What is no module comes with the package whose folder it is in, such as its libraries; what
    /// belongs to no known package comes last, and what the interpreter itself needs first.
    package func place(of path: String) -> Int {
        guard let module = Self.module(path) else { return -1 }
        for length in stride(from: module.parts.count, to: 0, by: -1) {
            if let place = places[module.parts[..<length].joined(separator: ".")] { return place }
        }
        // The interpreter has its first modules before anybody can write them down.
        return module.isInstalled ? Int.max : -1
    }

    /// The dotted name that a file would have as a module; nil outside of Python's folders.
    private static func module(_ path: String) -> (parts: [Substring], isInstalled: Bool)? {
        let folders = path.split(separator: "/")
        var parts: ArraySlice<Substring>
        let installed = folders.lastIndex { $0 == "site-packages" || $0 == "dist-packages" }
        if let installed {
            parts = folders[(installed + 1)...]
        } else if let library = folders.lastIndex(where: { $0.hasPrefix("python3.") }) {
            parts = folders[(library + 1)...]
            if parts.first == "lib-dynload" { parts.removeFirst() }
        } else {
            return nil
        }
        parts.removeAll { $0 == "__pycache__" }
        // `_C.cpython-311-x86_64-linux-gnu.so`, `numpy.libs`.
        var names = parts.map { $0.prefix { $0 != "." } }
        if names.last == "__init__" { names.removeLast() }
        return names.isEmpty ? nil : (names, installed != nil)
    }
}

extension ReadAheadPlan {
    /// Files in the order in which a start needs them; of those it needs at the same time the largest first.
    package func inOrder(of use: FirstUse) -> ReadAheadPlan {
        let placed = files.map { (place: use.place(of: $0.path), file: $0) }
        let sorted = placed.sorted { ($0.place, $1.file.bytes, $0.file.path) < ($1.place, $0.file.bytes, $1.file.path) }
        return ReadAheadPlan(files: sorted.map(\.file))
    }
}
