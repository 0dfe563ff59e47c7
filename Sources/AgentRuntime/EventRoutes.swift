internal import AgentCore

/// Where one event goes.
struct EventTarget: Equatable, Sendable {
    var url: String
    /// Only for the control plane itself: the node token is not shown to other hosts.
    var bearer: Secret?
    var signingSecret: Secret?
}

/// Which callback gets which event. Secrets are looked up when an event is sent and are never on disk with it.
struct EventRoutes: Sendable {
    private struct Callback {
        /// nil is the control plane's own endpoint.
        var url: String?
        var secret: Secret?
    }

    let controlPlane: EventTarget
    /// Of the assignment in force; nil while the control plane has not said whether there is one.
    private var callback: Callback?

    init(controlPlane: EventTarget) {
        self.controlPlane = controlPlane
    }

    /// What an event that happens now is for.
    var callbackURL: String? { callback?.url }

    mutating func follow(_ assignment: Assignment) {
        callback = Callback(url: assignment.callbackURL, secret: assignment.callbackSecret)
    }

    /// False when an assignment, or that there is none, was known before.
    mutating func expectNoAssignment() -> Bool {
        guard callback == nil else { return false }
        callback = Callback()
        return true
    }

    /// nil while only an assignment can tell the secret this callback asks for.
    ///
    /// What is left for a callback that the assignment in force does not name goes to the control plane: it knows
    /// every node, and a receiver that was replaced must hold up nothing.
    func target(for url: String?) -> EventTarget? {
        guard let callback else { return url == nil ? controlPlane : nil }
        var target = controlPlane
        if callback.url == nil || callback.url == url { target.signingSecret = callback.secret }
        if let url, url == callback.url, url != controlPlane.url {
            target.url = url
            target.bearer = nil
        }
        return target
    }
}
