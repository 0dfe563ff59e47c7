internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentRuntime

@Suite struct EventRoutesTests {
    private static let controlPlane = EventTarget(url: "http://control.test/events", bearer: Secret("token"))
    private var routes = EventRoutes(controlPlane: controlPlane)

    private func assignment(_ url: String?, secret: String? = "signing") -> Assignment {
        var assignment = Assignment.sample()
        assignment.callbackURL = url
        assignment.callbackSecret = secret.map(Secret.init)
        return assignment
    }

    @Test("Before any assignment: the control plane's own go there, a callback's wait for its secret")
    func unknown() {
        #expect(routes.target(for: nil) == Self.controlPlane)
        #expect(routes.target(for: "http://a.test/") == nil)
    }

    @Test("The assignment's callback gets its events, signed, and never the node's token")
    func callback() {
        var routes = routes
        routes.follow(assignment("http://a.test/"))
        #expect(routes.callbackURL == "http://a.test/")
        let target = EventTarget(url: "http://a.test/", bearer: nil, signingSecret: Secret("signing"))
        #expect(routes.target(for: "http://a.test/") == target)
    }

    @Test(
        "What was for another receiver goes to the control plane, and is not signed for it",
        arguments: [nil, "http://b.test/"])
    func foreign(url: String?) {
        var routes = routes
        routes.follow(assignment("http://a.test/"))
        #expect(routes.target(for: url) == Self.controlPlane)
    }

    @Test("Without a callback everything goes to the control plane, signed where it asks for it")
    func noCallback() {
        var routes = routes
        routes.follow(assignment(nil))
        var signed = Self.controlPlane
        signed.signingSecret = Secret("signing")
        #expect(routes.target(for: nil) == signed)
        #expect(routes.target(for: "http://b.test/") == signed)
    }

    @Test("Nothing waits for an assignment that is not there; a known one is not forgotten for it")
    func noAssignment() {
        var routes = routes
        let isNews = routes.expectNoAssignment()
        #expect(isNews)
        #expect(routes.target(for: "http://a.test/") == Self.controlPlane)
        routes.follow(assignment("http://a.test/"))
        let isNewsAgain = routes.expectNoAssignment()
        #expect(!isNewsAgain)
        #expect(routes.target(for: "http://a.test/")?.url == "http://a.test/")
    }

    @Test("The control plane's own URL as a callback keeps the node's token")
    func ownURL() {
        var routes = routes
        routes.follow(assignment(Self.controlPlane.url, secret: nil))
        #expect(routes.target(for: Self.controlPlane.url) == Self.controlPlane)
    }
}
