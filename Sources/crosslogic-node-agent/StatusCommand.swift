internal import AgentCore
internal import AgentSystem
internal import AgentWire
internal import ArgumentParser

/// Asks a running agent over HTTP.
struct HeartbeatQuestion: ParsableArguments {
    @Option(help: "Where the agent's heartbeat listens.")
    var heartbeat = "http://127.0.0.1:9400"

    @Option(name: .customLong("ca-file"), help: "PEM bundle to trust instead of the system's, where that is https.")
    var authorityFile: String?

    @Flag(help: "Print the agent's JSON as it is.")
    var json = false

    func ask(_ path: String) async throws -> JSONValue {
        let settings = CurlSettings(
            userAgent: "crosslogic-node-agent/\(AgentVersion.text)", certificateAuthorityFile: authorityFile)
        let http = CurlHTTPClient(settings: settings, clocks: LinuxClocks())
        var request = HTTPRequest(.get, heartbeat + path, timeout: .seconds(5))
        if let token = SettingsSource.processEnvironment()["CROSSLOGIC_HEARTBEAT_TOKEN"] {
            request.headers.append(("Authorization", Secret("Bearer \(token)")))
        }
        do {
            let response = try await http.send(request)
            await http.close()
            guard response.status == 200 else { throw complaint("answered \(response.status)") }
            return try JSONValue.parse(response.body)
        } catch let failure as HTTPFailure {
            await http.close()
            throw complaint(failure.message)
        } catch let fault as JSONSyntaxError {
            throw complaint(fault.reason)
        }
    }

    private func complaint(_ reason: String) -> ExitCode {
        Complaint.say("no agent at \(heartbeat): \(reason)")
        return AgentExit.unavailable
    }

    func printJSON(_ value: JSONValue) {
        print(String(decoding: value.rendered(pretty: true), as: UTF8.self))
    }
}

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say what the agent of this machine is doing.",
        discussion: "Exit codes: 0 serving; 1 not serving; 69 no agent answers.")

    @OptionGroup var question: HeartbeatQuestion

    func run() async throws {
        let node = try await question.ask("/v1/heartbeat")
        if question.json { question.printJSON(node) } else { Self.show(node) }
        if node["state"]?.stringValue != "serving" { throw ExitCode(1) }
    }

    private static func show(_ node: JSONValue) {
        row("node", node["node_id"]?.stringValue)
        row("state", node["state"]?.stringValue)
        row("status", node["status"]?.stringValue)
        row("generation", node["generation"]?.integerValue.map(String.init))
        row("engine", engine(node))
        row("ready after", node["timings"]?["exec_to_ready_s"]?.numberValue.map { "\(Table.seconds($0)) s" })
        if let failure = node["failure"], failure != .null {
            row("failure", failure["class"]?.stringValue)
            row("", failure["message"]?.stringValue)
            row("remedy", failure["remedy"]?.stringValue)
        }
        for line in NoticeTable.rows(node) { row(line.name, line.value) }
        row("control plane", node["control_plane"]?["error"]?.stringValue ?? "reachable")
        row("events waiting", node["outbox"]?["pending"]?.integerValue.map(String.init))
    }

    private static func engine(_ node: JSONValue) -> String? {
        guard let engine = node["engine"], engine != .null else { return nil }
        let version = engine["vllm_version"]?.stringValue.map { "vLLM \($0)" } ?? "vLLM of unknown version"
        let pid = engine["pid"]?.integerValue.map { ", pid \($0)" } ?? ""
        let port = engine["port"]?.integerValue.map { ", port \($0)" } ?? ""
        return version + pid + port
    }

    private static func row(_ name: String, _ value: String?) {
        guard let value else { return }
        print(Table.padded(name, 15) + value)
    }
}

struct TimelineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "timeline", abstract: "Show where the time of the start went, phase by phase.",
        discussion: "Exit codes: 0 shown; 69 no agent answers.")

    @OptionGroup var question: HeartbeatQuestion

    func run() async throws {
        let document = try await question.ask("/v1/timeline")
        if question.json {
            question.printJSON(document)
        } else {
            for line in Table.timeline(document) { print(line) }
        }
    }
}
