internal import HTTPTypes
internal import Hummingbird

/// Answers 405 with `Allow` (RFC 9110 §15.5.6) to the methods that a path does not have.
enum MethodRefusal {
    private static let all: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options, .trace]

    static func add(to router: Router<some RequestContext>, _ paths: [String: [HTTPRequest.Method]]) {
        for (path, allowed) in paths {
            let allowed = allowed.contains(.get) ? allowed + [.head] : allowed
            let list = allowed.map(\.rawValue).sorted().joined(separator: ", ")
            for method in all where !allowed.contains(method) {
                router.on(RouterPath(path), method: method) { _, _ -> Response in throw Problem.methodNotAllowed(list) }
            }
        }
    }
}

extension Problem {
    fileprivate static func methodNotAllowed(_ allowed: String) -> Problem {
        Problem(
            status: 405, title: "Method not allowed", detail: "this path answers \(allowed)",
            headers: [Header(name: "Allow", value: allowed)])
    }
}
