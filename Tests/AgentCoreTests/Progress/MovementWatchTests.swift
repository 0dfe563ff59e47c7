internal import Testing

@testable internal import AgentCore

struct MovementWatchTests {
    private static func at(_ seconds: Int64) -> BootInstant { BootInstant(nanoseconds: seconds * 1_000_000_000) }

    private static func vitals(
        cpu: UInt64 = 0, log: UInt64 = 0, disk: UInt64 = 0, received: UInt64? = nil, connections: Int = 0,
        gpu: UInt64? = nil
    )
        -> EngineVitals
    {
        EngineVitals(
            cpuTicks: [100: cpu], diskBytes: disk, logBytes: log,
            traffic: received.map { EngineTraffic(receivedBytes: $0, connections: connections) }, gpuBytes: gpu)
    }

    private static let limit = Duration.seconds(60)

    @Test("Any one sign of life is enough to go on", arguments: ["cpu", "log", "disk", "network", "gpu"])
    func oneSign(sign: String) {
        var watch = MovementWatch(since: Self.at(0))
        for second in Int64(1)...300 {
            let count = UInt64(second / 50)
            switch sign {
            case "cpu": watch.observe(Self.vitals(cpu: count * 25, received: 0), at: Self.at(second))
            case "log": watch.observe(Self.vitals(log: count, received: 0), at: Self.at(second))
            case "disk": watch.observe(Self.vitals(disk: count, received: 0), at: Self.at(second))
            case "gpu": watch.observe(Self.vitals(received: 0, gpu: count << 24), at: Self.at(second))
            default: watch.observe(Self.vitals(received: count), at: Self.at(second))
            }
            #expect(watch.stall(isFetchingConfiguration: false, after: Self.limit, at: Self.at(second)) == nil)
        }
    }

    @Test("GPU memory that flickers, or of which nothing is known, is no sign of life")
    func flicker() {
        var watch = MovementWatch(since: Self.at(0))
        for second in Int64(1)...59 {
            let flicker: UInt64? = second % 3 == 0 ? nil : UInt64(second % 2) << 20
            watch.observe(Self.vitals(gpu: flicker), at: Self.at(second))
        }
        #expect(watch.lastMovement <= Self.at(1))
    }

    @Test("A start without any sign of life is stalled, and not a second earlier than agreed")
    func everythingStill() {
        var watch = MovementWatch(since: Self.at(0))
        watch.observe(Self.vitals(cpu: 100, log: 10, received: 5), at: Self.at(10))
        for second in Int64(11)...69 {
            watch.observe(Self.vitals(cpu: 100, log: 10, received: 5), at: Self.at(second))
            #expect(watch.stall(isFetchingConfiguration: false, after: Self.limit, at: Self.at(second)) == nil)
        }
        let stall = watch.stall(isFetchingConfiguration: false, after: Self.limit, at: Self.at(70))
        #expect(stall == Stall(cause: .everything, since: .seconds(60)))
    }

    @Test("Eight ranks whose connections are silent still wake up; that is no movement")
    func idleWakeUps() {
        var watch = MovementWatch(since: Self.at(0))
        for second in Int64(0)...60 {
            let ranks = (Int32(1)...8).map { ($0, UInt64(second) * 3) }
            let vitals = EngineVitals(cpuTicks: Dictionary(uniqueKeysWithValues: ranks), diskBytes: 0, logBytes: 0)
            watch.observe(vitals, at: Self.at(second))
        }
        #expect(watch.stall(isFetchingConfiguration: false, after: Self.limit, at: Self.at(60)) != nil)
    }

    @Test("A process that ends is movement, although less CPU time is seen after it")
    func endOfProcess() {
        var watch = MovementWatch(since: Self.at(0))
        watch.observe(EngineVitals(cpuTicks: [1: 500, 2: 300], diskBytes: 0, logBytes: 0), at: Self.at(1))
        watch.observe(EngineVitals(cpuTicks: [1: 500], diskBytes: 0, logBytes: 0), at: Self.at(50))
        #expect(watch.lastMovement == Self.at(50))
    }

    @Test("While the configuration is fetched, an open connection that brings nothing is stalled, busy CPU or not")
    func silentConnection() {
        var watch = MovementWatch(since: Self.at(0))
        for second in Int64(1)...60 {
            watch.observe(Self.vitals(cpu: UInt64(second) * 50, received: 0, connections: 1), at: Self.at(second))
        }
        #expect(watch.stall(isFetchingConfiguration: false, after: Self.limit, at: Self.at(61)) == nil)
        let stall = watch.stall(isFetchingConfiguration: true, after: Self.limit, at: Self.at(61))
        #expect(stall?.cause == .connection)
    }

    @Test("Without a connection, the silence of the network says nothing while the configuration is fetched")
    func noConnection() {
        var watch = MovementWatch(since: Self.at(0))
        for second in Int64(1)...90 {
            watch.observe(Self.vitals(cpu: UInt64(second) * 50, received: 7, connections: 0), at: Self.at(second))
        }
        #expect(watch.stall(isFetchingConfiguration: true, after: Self.limit, at: Self.at(90)) == nil)
    }

    @Test("Zero turns it off")
    func off() {
        let watch = MovementWatch(since: Self.at(0))
        #expect(watch.stall(isFetchingConfiguration: true, after: .zero, at: Self.at(100_000)) == nil)
    }
}
