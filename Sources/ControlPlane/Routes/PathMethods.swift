internal import HTTPTypes

/// Which methods each path answers, so that a wrong one is told from a path that does not exist (RFC 9110 §15.5.6).
struct PathMethods: Sendable {
    private let paths: [(segments: [Substring], allowed: String)]

    /// - Parameter paths: `:name` stands for any one segment.
    init(_ paths: [String: [HTTPRequest.Method]]) {
        self.paths = paths.map { path, methods in
            (path.split(separator: "/"), Self.text(methods))
        }
    }

    /// As the `Allow` header has it.
    static func text(_ methods: [HTTPRequest.Method]) -> String {
        let all = methods.contains(.get) ? methods + [.head] : methods
        return all.map(\.rawValue).sorted().joined(separator: ", ")
    }

    /// As the `Allow` header has it; nil where there is no such path.
    func allowed(for path: String) -> String? {
        let segments = path.split(separator: "/")
        return paths.first { candidate in
            candidate.segments.count == segments.count
                && zip(candidate.segments, segments).allSatisfy { $0.hasPrefix(":") || $0 == $1 }
        }?.allowed
    }
}

extension Problem {
    static func methodNotAllowed(_ allowed: String) -> Problem {
        Problem(
            status: 405, title: "Method not allowed", detail: "this path answers \(allowed)",
            headers: [Header(name: "Allow", value: allowed)])
    }
}
