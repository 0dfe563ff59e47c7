import Glibc

/// The API server: one loop that fetches signals, replays what is due, watches its helpers and serves.
struct Simulation {
    enum State: Equatable {
        case starting
        case serving
        /// EngineCore is gone: 503, then refused, then exit, in the rhythm of the real one.
        case dying(since: Double)
        case draining(until: Double)
    }

    private let arguments: ServeArguments
    private let behaviour: Behaviour
    private let startedAt = monotonicSeconds()
    private var transcript: Transcript
    private var next = 0
    private var state = State.starting
    private var signals = BlockedSignals([SIGTERM, SIGINT])
    private var terminations = 0
    private var stalled = false
    private var isBound = false
    private var helpers = HelperProcesses()
    private var http = HTTPListener()
    private var endpoints: Endpoints
    private var generations: [Generation] = []
    private var requestCount = 0
    private var exitCode: Int32?

    static func main(_ words: [String]) -> Int32 {
        guard words.dropFirst().first != "--version" else {
            writeAll(Array("0.32.0+simulated\n".utf8), to: 1)
            return 0
        }
        do {
            let behaviour = try Behaviour.fromEnvironment()
            guard words.dropFirst().first == "serve" else {
                throw UsageError("simulated-vllm stands in for `vllm serve MODEL …` and `vllm --version` only")
            }
            let arguments = try ServeArguments(Array(words.dropFirst(2)))
            guard let transcript = load(behaviour.transcript) else {
                throw UsageError("simulated-vllm: cannot replay \(behaviour.transcript): no such transcript")
            }
            var simulation = Simulation(arguments, behaviour, transcript)
            return simulation.run()
        } catch let error as UsageError {
            writeAll(Array((error.message + "\n").utf8), to: 2)
        } catch let error as BadVariable {
            writeAll(Array("simulated-vllm: \(error.name) \(error.problem)\n".utf8), to: 2)
        } catch {
            writeAll(Array("simulated-vllm: \(error)\n".utf8), to: 2)
        }
        return 2
    }

    private init(_ arguments: ServeArguments, _ behaviour: Behaviour, _ transcript: Transcript) {
        self.arguments = arguments
        self.behaviour = behaviour
        self.transcript = transcript
        endpoints = Endpoints(arguments: arguments, behaviour: behaviour, startedAt: startedAt)
    }

    private static func load(_ path: String) -> Transcript? {
        readFile(path).flatMap { Transcript.parse(String(decoding: $0, as: UTF8.self)) }
    }

    /// Seconds since exec, on the transcript's scale.
    private var elapsed: Double { (monotonicSeconds() - startedAt) * behaviour.speed }

    private mutating func run() -> Int32 {
        print("simulated-vllm: a stand-in for vLLM; replays \(behaviour.transcript) at \(behaviour.speed)x\n")
        while exitCode == nil {
            while let signal = signals.next() { take(signal) }
            replay()
            if helpers.engineCoreDied() { engineDied() }
            advance()
            for (connection, request) in http.turn(milliseconds: waitMilliseconds) { serve(request, on: connection) }
        }
        return exitCode ?? 0
    }

    /// Short enough for signals, which are only looked at between turns.
    private var waitMilliseconds: Int32 {
        guard generations.isEmpty else { return 1 }
        guard !stalled, next < transcript.entries.count else { return 10 }
        let due = (transcript.entries[next].at - elapsed) / behaviour.speed * 1000
        return Int32(max(0, min(10, due.rounded(.up))))
    }
}

// MARK: - Replay

extension Simulation {
    private mutating func replay() {
        guard state == .starting else { return }
        while exitCode == nil, !stalled, next < transcript.entries.count, transcript.entries[next].at <= elapsed {
            let event = transcript.entries[next].event
            next += 1
            perform(event)
        }
    }

    private mutating func perform(_ event: Transcript.Event) {
        switch event {
        case .output(let standardError, let text):
            // The real one binds right after its first words, long before it loads anything.
            if !isBound, !standardError { bindOrFail() }
            print(text, standardError: standardError)
            if let mark = behaviour.dieAt, text.contains(mark) { helpers.killDeepest() }
            if let mark = behaviour.stallAt, text.contains(mark) { stalled = true }
        case .spawn(let title, _):
            HelperRole(rawValue: title).map { helpers.spawn($0) }
        case .listen:
            http.listen()
            state = .serving
        case .exit(let code):
            helpers.quit()
            exitCode = code
        }
    }

    private mutating func bindOrFail() {
        isBound = true
        guard !http.bind(host: arguments.host, port: arguments.port) else { return }
        let folder = behaviour.transcript.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let path = (folder + ["port-in-use.transcript"]).joined(separator: "/")
        guard let failure = Self.load(path), failure != transcript else { return }
        // Both have said the same up to here; the rest comes at its own distance from it.
        let known = failure.entries.firstIndex {
            if case .output(false, _) = $0.event { true } else { false }
        }
        let rest = failure.entries[((known ?? -1) + 1)...]
        let shift = elapsed - (rest.first?.at ?? 0)
        transcript.entries = rest.map { Transcript.Entry(at: $0.at + shift, event: $0.event) }
        next = 0
    }

    private func print(_ text: String, standardError: Bool = false) {
        var filled = text
        for (name, pid) in helpers.pids { filled.replace("{pid:\(name)}", with: "\(pid)") }
        let places = [
            "{port}": "\(arguments.port)", "{model_uri}": arguments.modelURI, "{model}": arguments.servedModel,
            "{venv}": behaviour.venv, "{cache}": environmentValue("VLLM_CACHE_ROOT") ?? "/root/.cache/vllm",
        ]
        for (placeholder, value) in places { filled.replace(placeholder, with: value) }
        writeAll(Array(filled.utf8), to: standardError ? 2 : 1)
    }

    /// A line of the API server, as vLLM writes it while it serves.
    private func log(_ text: String) {
        print("(APIServer pid={pid:APIServer}) INFO 01-01 00:00:00 [launcher.py:254] \(text)\n")
    }
}

// MARK: - Signals and ends

extension Simulation {
    private mutating func take(_ signal: Int32) {
        terminations += 1
        switch (state, behaviour.onTerminate) {
        case (_, .never):
            return
        case (.starting, .asReal) where terminations == 1 && helpers.engineCore != nil:
            return
        case (.starting, _):
            helpers.quit()
            // Python's own answer before vLLM has installed its handlers; KeyboardInterrupt later.
            dieBySignal(next == 0 ? signal : SIGINT)
        case (.serving, _):
            log("[shutdown] API server: shutdown triggered")
            let mode = arguments.shutdownTimeout > 0 ? "drain" : "abort"
            let seconds = Int(arguments.shutdownTimeout)
            log("[shutdown] API server: stopping engine client mode=\(mode) timeout=\(seconds)s")
            state = .draining(until: monotonicSeconds() + arguments.shutdownTimeout)
        case (.draining, _), (.dying, _):
            return
        }
    }

    private mutating func engineDied() {
        let names = state == .starting ? "{'EngineCore': 1}" : "{}"
        if state == .starting {
            print(
                "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): \(names)\n",
                standardError: true)
            exitCode = 1
            return
        }
        print(
            """
            (APIServer pid={pid:APIServer}) ERROR 01-01 00:00:00 [core_client.py:675] \
            Engine core proc EngineCore died unexpectedly, shutting down client.\n
            """)
        state = .dying(since: monotonicSeconds())
        abortGenerations()
    }

    /// Whatever time alone brings about.
    private mutating func advance() {
        let now = monotonicSeconds()
        advanceGenerations(now)
        switch state {
        case .starting, .serving:
            return
        case .draining(let deadline):
            guard generations.isEmpty || now >= deadline else { return }
            abortGenerations()
            helpers.quit()
            print("INFO:     Shutting down\n", standardError: true)
            print("INFO:     Application shutdown complete.\n", standardError: true)
            exitCode = 0
        case .dying(let since):
            let passed = (now - since) * behaviour.speed
            if passed > 2.8 { http.stopListening() }
            if passed > 3.7 { exitCode = behaviour.exitAfterDeath }
        }
    }
}

// MARK: - Requests

extension Simulation {
    private var engineIsDead: Bool {
        if case .dying = state { return true }
        return false
    }

    private mutating func serve(_ request: HTTPRequest, on connection: Int32) {
        if request.method == "POST", request.path == "/v1/completions" {
            complete(request, on: connection)
        } else if let response = endpoints.answer(request, engineDead: engineIsDead, running: generations.count) {
            send(response, to: request, on: connection)
        }
    }

    private mutating func complete(_ request: HTTPRequest, on connection: Int32) {
        let model = JSONText.member("model", of: request.body) ?? arguments.servedModel
        if case .status(let status) = behaviour.completions {
            send(.error(status, "simulated failure", type: "InternalServerError"), to: request, on: connection)
        } else if behaviour.completions == .hang {
            return
        } else if engineIsDead {
            send(.error(500, Generation.engineDead, type: "InternalServerError"), to: request, on: connection)
        } else if model.replacing("\\/", with: "/") != arguments.servedModel {
            let message = "The model `\(model)` does not exist. Valid aliases: \(arguments.servedModel)."
            send(
                .error(404, message, type: "NotFoundError", parameter: "\"model\""), to: request, on: connection)
        } else {
            requestCount += 1
            let generation = Generation(
                request, connection: connection, model: arguments.servedModel, number: requestCount,
                now: monotonicSeconds(), secondsPerToken: behaviour.secondsPerToken)
            http.answer(connection, generation.opening, thenClose: false)
            logAccess(request, 200, connection)
            generations.append(generation)
        }
    }

    private mutating func advanceGenerations(_ now: Double) {
        for index in generations.indices.reversed() {
            let bytes = generations[index].advance(now: now)
            let generation = generations[index]
            if generation.isDone {
                generations.remove(at: index)
                endpoints.completed += 1
                endpoints.generatedTokens += generation.tokens
            }
            guard !bytes.isEmpty else { continue }
            http.answer(
                generation.connection, bytes, thenClose: generation.isDone && generation.closesConnection)
        }
    }

    private mutating func abortGenerations() {
        for generation in generations {
            http.answer(generation.connection, generation.aborted(), thenClose: true)
        }
        generations = []
    }

    private mutating func send(_ response: HTTPResponse, to request: HTTPRequest, on connection: Int32) {
        logAccess(request, response.status, connection)
        http.answer(connection, response.rendered(keepAlive: request.keepAlive), thenClose: !request.keepAlive)
    }

    private func logAccess(_ request: HTTPRequest, _ status: Int, _ connection: Int32) {
        let peer = http.peer(of: connection) ?? "?"
        let reason = HTTPResponse.json("", status: status).reason
        print("INFO:     \(peer) - \"\(request.method) \(request.path) HTTP/1.1\" \(status) \(reason)\n")
    }
}
