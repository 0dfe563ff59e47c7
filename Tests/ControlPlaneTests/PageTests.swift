internal import FoundationEssentials
internal import HTTPTypes
internal import Testing

@Suite("The page")
struct PageTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static func text(_ answer: Answer) -> String {
        String(decoding: answer.body, as: UTF8.self)
    }

    private static let phases = """
        ,"phase":"weights_stream","phases":[{"name":"engine_import","start_s":100,"end_s":110,"end_source":"log"},\
        {"name":"weights_stream","start_s":110,"end_s":140,"end_source":null,"detail":"<b>8 files</b>"}]
        """

    @Test("shows nodes, state, phase, progress and the last start, and loads nothing from elsewhere")
    func list() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            _ = try await client.report(Event.json(1, of: node.id, data: Self.phases), as: node)
            let beat = #"{"node_id":"\#(node.id)","state":"loading","phase":"weights_stream","progress":{"fraction":0.42}}"#
            _ = try await client.send(
                .put, node.path + "/heartbeat", token: node.token, type: "application/json", body: beat)
            let answer = try await client.send(.get, "/")
            #expect(answer.status == 200)
            #expect(answer.headers[.contentType] == "text/html; charset=utf-8")
            #expect(answer.headers[.contentSecurityPolicy]?.hasPrefix("default-src 'none'; style-src 'self'") == true)
            let page = Self.text(answer)
            for part in [
                "<a href=\"/nodes/\(node.id)\">", ">loading</span>", "weights_stream <progress max=\"100\" value=\"42\"",
                "meta-llama/Llama-3-8B-Instruct", "aria-label=\"start of 40.0 s\"", "alive",
                "<rect class=\"network\" x=\"250\" y=\"0\" width=\"750\" height=\"10\">",
            ] {
                #expect(page.contains(part), "\(part)")
            }
            #expect(!page.contains("script"))
            #expect(!page.contains("http"))
            #expect(try await client.send(.get, "/style.css").headers[.contentType]?.hasPrefix("text/css") == true)
        }
    }

    @Test("of a node has its start phase by phase, and nothing a node says becomes markup")
    func node() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create(#"{"model":"m","gpu":"<script>alert('x')</script>"}"#)
            let failure = #","failure":{"class":"gpu_oom","message":"\"><img src=x>","remedy":"less & less"}"#
            _ = try await client.report(Event.json(1, of: node.id, data: Self.phases + failure), as: node)
            let page = Self.text(try await client.send(.get, "/nodes/\(node.id)"))
            for part in [
                "<th scope=\"row\">engine_import</th>", "<td class=\"number\">10.0 s</td>", "30.0 s …",
                "&lt;b&gt;8 files&lt;/b&gt;", "&lt;script&gt;alert(&#39;x&#39;)", "&quot;&gt;&lt;img src=x&gt;",
                "less &amp; less",
            ] {
                #expect(page.contains(part), "\(part)")
            }
            #expect(!page.contains("<script"))
            #expect(!page.contains("<img"))
            #expect(try await client.send(.get, "/nodes/node-x").status == 404)
        }
    }

    @Test("opens with the admin token for a password, which opens nothing else")
    func authentication() async throws {
        try await TestControlPlane(in: folder, adminToken: Canary.adminToken).withRouter { client in
            let node = try await client.create(admin: Canary.adminToken)
            func basic(_ text: String) -> HTTPFields {
                [.authorization: "Basic " + Data(text.utf8).base64EncodedString()]
            }
            for path in ["/", "/nodes/\(node.id)"] {
                for headers in [[:], basic("admin:wrong"), basic(Canary.adminToken), basic("x:\(node.token)")] {
                    let answer = try await client.send(.get, path, headers: headers)
                    #expect(answer.status == 401)
                    #expect(answer.headers[.wwwAuthenticate]?.hasPrefix("Basic") == true)
                }
                let answer = try await client.send(.get, path, headers: basic("anyone:\(Canary.adminToken)"))
                #expect(answer.status == 200)
                #expect(!Self.text(answer).contains("CANARY"))
                #expect(!Self.text(answer).contains(node.token))
            }
            for (method, path) in [(HTTPRequest.Method.get, "/api/v1/nodes"), (.delete, node.path)] {
                let answer = try await client.send(method, path, headers: basic("x:\(Canary.adminToken)"))
                #expect(answer.status == 401)
            }
        }
    }
}
