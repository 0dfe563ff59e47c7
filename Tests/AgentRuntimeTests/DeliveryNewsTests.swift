internal import Testing

@testable internal import AgentRuntime

@Suite struct DeliveryNewsTests {
    @Test("Each trouble is told once, and once that it is over")
    func once() {
        var news = DeliveryNews()
        #expect(news.note(.taken) == nil)
        #expect(news.note(.undelivered("timeout: no answer"))?.text.contains("not delivered: timeout") == true)
        #expect(news.note(.undelivered("answered 500")) == nil)
        #expect(news.problem == "not delivered: timeout: no answer")
        #expect(news.note(.taken)?.text == "events are delivered again")
        #expect(news.note(.taken) == nil)
        #expect(news.problem == nil)
    }

    @Test("A node that is not let in says so until it is; what was set aside for good is said from then on")
    func refusals() {
        var news = DeliveryNews()
        #expect(news.note(.parked(status: 422))?.text.contains("set aside") == true)
        #expect(news.note(.parked(status: 422)) == nil)
        #expect(news.note(.deferred(status: 401))?.text.contains("kept until") == true)
        #expect(news.note(.deferred(status: 401)) == nil)
        #expect(news.problem?.contains("401") == true)
        #expect(news.note(.taken) != nil)
        #expect(news.problem == "refused with status 422, set aside")
    }
}
