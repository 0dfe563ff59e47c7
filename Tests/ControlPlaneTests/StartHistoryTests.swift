internal import AgentWire
internal import ControlPlane
internal import Testing

@Suite("The history of starts")
struct StartHistoryTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static func ready(_ sequence: Int, of node: String, seconds: Double, version: String = "0.32.0") -> String {
        Event.json(
            sequence, of: node, type: "ready", state: "serving",
            data: """
                ,"model":"acme/tiny","timings":{"assignment_to_ready_s":\(seconds)},"unattributed_s":0.5,\
                "engine":{"vllm_version":"\(version)"},"phases":[{"name":"weights_stream","seconds":\(seconds / 2)},\
                {"name":"kv_profile","seconds":1},{"name":"compile","seconds":2},{"name":"kv_profile","seconds":3}]
                """)
    }

    @Test("has median and ninetieth percentile per model, GPU and version of vLLM, and per phase")
    func statistics() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            for number in 1...10 {
                let event = Self.ready(number, of: node.id, seconds: Double(number) * 10)
                _ = try await client.report(event, as: node)
                // Sent again it is no second start.
                _ = try await client.report(event, as: node)
            }
            _ = try await client.report(Self.ready(11, of: node.id, seconds: 7, version: "0.33.0"), as: node)
            let starts = try await client.send(.get, "/api/v1/starts").json["starts"]?.arrayValue ?? []
            #expect(starts.map { $0["vllm_version"] } == [.string("0.33.0"), .string("0.32.0")])
            let many = starts.last
            #expect(many?["model"] == .string("acme/tiny"))
            #expect(many?["gpu"] == .string("A10G"))
            #expect(many?["count"] == .integer(10))
            #expect(many?["median_s"] == .integer(50))
            #expect(many?["p90_s"] == .integer(90))
            #expect(many?["phases"]?["weights_stream"]?["median_s"] == .integer(25))
            #expect(many?["phases"]?["kv_profile"]?["p90_s"] == .integer(4))
            #expect(many?["phases"]?["unattributed"]?["max_s"] == .number(0.5))
        }
    }

    @Test("counts a start once, even where a machine that was set back tells of it again after retention")
    func toldAgain() async throws {
        let controlPlane = try TestControlPlane(in: folder)
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let started = Event.json(1, of: node.id, id: "anew", type: "agent_started", state: "waiting")
            let told = [Self.ready(1, of: node.id, seconds: 10)] + (2...5).map { Event.json($0, of: node.id) }
            for text in told + [started] {
                let event = try ReportedEvent(try JSONReader.parse(Array(text.utf8)), of: node.id)
                _ = try await controlPlane.store.append([event], to: node.id, keeping: 2)
            }
            let again = Self.ready(2, of: node.id, seconds: 10).replacing(#""id":"event-2""#, with: #""id":"event-1""#)
            #expect(try await client.report(again, as: node).status == 202)
            let starts = try await client.send(.get, "/api/v1/starts").json["starts"]?.arrayValue
            #expect(starts?.first?["count"] == .integer(1))
        }
    }

    @Test("can be asked for a part of it")
    func filtered() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            let other = try await client.create()
            _ = try await client.report(Self.ready(1, of: node.id, seconds: 10), as: node)
            _ = try await client.report(Self.ready(1, of: other.id, seconds: 30), as: other)
            for (query, count) in [
                ("", 2), ("?node=\(node.id)", 1), ("?model=acme/tiny&gpu=A10G", 2), ("?gpu=H100", 0),
                ("?vllm_version=0.32.0", 2), ("?vllm_version=1", 0),
            ] {
                let starts = try await client.send(.get, "/api/v1/starts" + query).json["starts"]?.arrayValue
                #expect(starts?.first?["count"] ?? .integer(0) == .integer(Int64(count)), "\(query)")
            }
        }
    }

    @Test("is not spoiled by what no start can have taken, nor by names that are none")
    func impossible() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            for (number, seconds) in ["-1", "1e308", "604801"].enumerated() {
                let event = Event.json(
                    number + 1, of: node.id, type: "ready", state: "serving",
                    data: #","model":"acme/tiny","timings":{"assignment_to_ready_s":\#(seconds)}"#)
                _ = try await client.report(event, as: node)
            }
            #expect(try await client.send(.get, "/api/v1/starts").json["starts"]?.arrayValue == [])
            let odd = Event.json(
                4, of: node.id, type: "ready", state: "serving",
                data: """
                    ,"model":"acme/tiny","timings":{"assignment_to_ready_s":10},"unattributed_s":-1e300,\
                    "phases":[{"name":"<b>","seconds":1},{"name":"compile","seconds":1e308},\
                    {"name":"compile","seconds":1e308},{"name":"kv_profile","seconds":2}]
                    """)
            _ = try await client.report(odd, as: node)
            let start = try await client.send(.get, "/api/v1/starts").json["starts"]?.arrayValue?.first
            #expect(start?["median_s"] == .integer(10))
            #expect(start?["phases"]?["kv_profile"]?["median_s"] == .integer(2))
            for name in ["<b>", "compile", "unattributed"] { #expect(start?["phases"]?[name] == nil) }
        }
    }

    @Test("takes the smallest sample that half, and nine tenths, do not exceed")
    func quantiles() {
        let spread = StartStatistics.Spread([4, 1, 3, 2])
        #expect(spread?.median == 2)
        #expect(spread?.p90 == 4)
        #expect(StartStatistics.Spread([]) == nil)
    }
}
