internal import AgentCore
internal import AgentWire
internal import Glibc
internal import NIOCore
internal import NIOPosix

/// All nodes, on one event loop; used there only.
final class SimulatedFleet {
    struct Settings: Sendable {
        var address: SocketAddress
        var nodes = 100
        /// Seconds over which they come up.
        var ramp = 5.0
        /// A second, of the whole fleet.
        var crashes = 0.0
        /// Nodes come up with an engine that serves already.
        var isAdopted = false
        var preemptions = 0.0
        var pollPace = PollPace()
        var reportBackoff = Backoff(first: .milliseconds(250), longest: .seconds(30))
    }

    let settings: Settings
    private let loop: any EventLoop
    private var nodes: [SimulatedNode] = []
    private var figures = Figures()
    private var connections = 0
    private var random = SplitMix(seed: 1)
    private let began: BootInstant
    /// What is due, by slots of time. Not the loop's own timers: each connection that is made takes one back, for which
    /// NIO searches all of them.
    private var wheel: [Int64: [() -> Void]] = [:]
    private var turn: Int64 = 0
    private static let slotSeconds = 0.01

    init(_ settings: Settings, on loop: any EventLoop) {
        self.settings = settings
        self.loop = loop
        began = BootInstant(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds))
    }

    var now: BootInstant { BootInstant(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds)) }

    var wallTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Names and tokens as `scripts/bench fleet` has put them into the database.
    func start() {
        for index in 0..<settings.nodes {
            let digits = String(index)
            let number = String(repeating: "0", count: 8 - digits.count) + digits
            let node = SimulatedNode(
                self, id: "sim-\(number)", token: "simulated-token-\(number)", source: Self.source(index),
                seed: UInt64(index + 1))
            nodes.append(node)
            after(settings.ramp * Double(index) / Double(settings.nodes)) { node.start() }
        }
        tick()
        turnWheel()
    }

    /// Rounded up to the wheel's next slots.
    func after(_ seconds: Double, _ body: @escaping () -> Void) {
        let slot = Int64(((now - began).inSeconds + seconds) / Self.slotSeconds) + 1
        wheel[max(slot, turn + 1), default: []].append(body)
    }

    private func turnWheel() {
        let target = Int64((now - began).inSeconds / Self.slotSeconds)
        while turn < target {
            turn += 1
            for body in wheel.removeValue(forKey: turn) ?? [] { body() }
        }
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(Self.slotSeconds * 1e9))) { [self] in turnWheel() }
    }

    func connect(
        from source: SocketAddress?, closed: @escaping (NodeConnection) -> Void,
        connected: @escaping (NodeConnection?) -> Void
    ) {
        figures.connects += 1
        connections += 1
        var isUp = false
        let connection = NodeConnection { [self] connection in
            connections -= 1
            if isUp { closed(connection) }
        }
        let bound = NIOLoopBound(connection, eventLoop: loop)
        var bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.seconds(10))
            // ip(7), IP_BIND_ADDRESS_NO_PORT: the port is chosen when the peer is known, so an address has as many
            // of them for each peer.
            .channelOption(ChannelOptions.socket(SocketOptionLevel(IPPROTO_IP), 24), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(bound.value) }
            }
        if let source { bootstrap = bootstrap.bind(to: source) }
        bootstrap.connect(to: settings.address).assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success:
                isUp = true
                connected(connection)
            case .failure:
                figures.failures += 1
                connected(nil)
            }
        }
    }

    func answered(_ exchange: Figures.Exchange, status: Int?, seconds: Double?) {
        guard let status else { return figures.failures += 1 }
        guard [200, 204, 304].contains(status) else { return figures.refusals += 1 }
        figures.answered[exchange, default: 0] += 1
        if let seconds { figures.latencies[exchange, default: Histogram()].add(seconds) }
    }

    func took(_ count: Int, _ reply: NodeConnection.Reply) {
        let results = (try? JSONValue.parse(reply.body))?["results"]?.arrayValue ?? []
        figures.eventsTaken += results.count { ($0["status"]?.integerValue ?? 0) < 300 }
        figures.refusals += count - results.count { ($0["status"]?.integerValue ?? 0) < 300 }
    }

    // MARK: Every second

    private func tick() {
        say()
        strike(settings.crashes) { $0.engineDies() }
        strike(settings.preemptions) { $0.isTakenAway() }
        after(1) { [self] in tick() }
    }

    private func strike(_ rate: Double, _ blow: (SimulatedNode) -> Void) {
        var count = Int(rate)
        if random.fraction() < rate - Double(count) { count += 1 }
        for _ in 0..<count {
            guard let node = nodes.randomElement(using: &random), node.isServing else { continue }
            blow(node)
        }
    }

    private func say() {
        let line = figures.line([
            "at_s": .number((now - began).inSeconds), "connections": .integer(Int64(connections)),
            "polling": .integer(Int64(nodes.count { $0.isPolling })),
            "serving": .integer(Int64(nodes.count { $0.isServing })),
            "undelivered": .integer(Int64(nodes.reduce(0) { $0 + $1.undelivered })),
        ])
        figures = Figures()
        print(String(decoding: line.rendered(), as: UTF8.self))
        fflush(nil)
    }

    /// 28 000 ports are free for each pair of addresses, but connect(2) looks for one among those of one parity first:
    /// beyond fourteen thousand connections each further one costs it a search through all of them.
    private static func source(_ index: Int) -> SocketAddress? {
        try? SocketAddress(ipAddress: "127.0.\(1 + index / 2_000).1", port: 0)
    }
}

@available(*, unavailable)
extension SimulatedFleet: Sendable {}
