/// What an answer to an event means.
enum EventVerdict: Equatable {
    case accepted
    /// Sending the same bytes again cannot help.
    case refused
    /// Not from this node, or not here, as things are: a token that was revoked, or a node that is not known yet. Those
    /// behind it are tried, and this one again when that may have changed.
    case deferred
    case tryAgain

    /// Said by a control plane: whatever this node sends gets the same answer. 403 may come from a firewall that dislikes
    /// one event.
    static func isOfNode(status: Int) -> Bool { status == 401 || status == 404 }

    init(status: Int, contentType: String? = nil) {
        switch status {
        // A captive portal or a login page in between answers for a receiver that never saw the event.
        case 200..<300 where contentType?.lowercased().hasPrefix("text/html") == true: self = .tryAgain
        case 200..<300: self = .accepted
        case 401, 403, 404: self = .deferred
        // Time-out, too early, too many.
        case 408, 425, 429: self = .tryAgain
        case 400..<500: self = .refused
        default: self = .tryAgain
        }
    }
}
