internal import ControlPlane
internal import Testing

/// Scripts: who is heard when, and what a look finds.
@Suite("The liveness of a fleet")
struct FleetLivenessTests {
    private static func names(_ count: Int) -> [String] {
        (0..<count).map { "node-\($0)" }
    }

    private static func past(
        _ names: some Sequence<String>, _ past: FleetLiveness.Past = .present
    ) -> [String: FleetLiveness.Past] {
        Dictionary(uniqueKeysWithValues: names.map { ($0, past) })
    }

    /// A fleet that has been up long enough for the grace to be over, everyone heard at 1000.
    private static func running(_ count: Int) -> FleetLiveness {
        var fleet = FleetLiveness(at: 0)
        for time in stride(from: 0.0, through: 1000, by: 10) {
            for name in names(count) { fleet.heard(name, at: time) }
            _ = fleet.look(at: time)
        }
        return fleet
    }

    /// Looks every ten seconds, `heard` speaking each time.
    private static func look(
        _ fleet: inout FleetLiveness, from start: Double, to end: Double, heard: [String] = []
    ) -> [FleetLiveness.Change] {
        var changes: [FleetLiveness.Change] = []
        for time in stride(from: start, through: end, by: 10) {
            for name in heard { fleet.heard(name, at: time) }
            changes += fleet.look(at: time)
        }
        return changes
    }

    @Test("loses one node that falls silent, once, and finds it again")
    func oneNode() {
        var fleet = Self.running(10)
        let others = Array(Self.names(10).dropFirst())
        #expect(Self.look(&fleet, from: 1010, to: 1120, heard: others) == [])
        #expect(Self.look(&fleet, from: 1130, to: 1300, heard: others) == [.lost("node-0")])
        #expect(fleet.status(of: "node-0", at: 1300).status == .lost)
        #expect(fleet.status(of: "node-1", at: 1300).status == .alive)
        fleet.heard("node-0", at: 1305)
        #expect(fleet.look(at: 1310) == [.found("node-0")])
        #expect(fleet.status(of: "node-0", at: 1310).status == .alive)
    }

    @Test("declares nobody lost where all fall silent together, and lets go when they are back")
    func massFailure() {
        var fleet = Self.running(100)
        #expect(Self.look(&fleet, from: 1010, to: 5000) == [.brakeSet(silent: 100, of: 100)])
        #expect(fleet.brakedSince == 1130)
        #expect(fleet.status(of: "node-7", at: 5000).status == .silent)
        #expect(Self.look(&fleet, from: 5010, to: 5020, heard: Self.names(100)) == [.brakeReleased])
        #expect(fleet.status(of: "node-7", at: 5020).status == .alive)
    }

    @Test("loses what is under the brake's limit, and not one more within its window")
    func slowBleeding() {
        var fleet = Self.running(100)
        let first = Self.look(&fleet, from: 1010, to: 1140, heard: Array(Self.names(100).dropFirst(15)))
        #expect(first.count == 15)
        let second = Self.look(&fleet, from: 1150, to: 1290, heard: Array(Self.names(100).dropFirst(30)))
        #expect(second == [.brakeSet(silent: 15, of: 100)])
    }

    @Test("takes an operator's word that the losses are real")
    func released() {
        var fleet = Self.running(100)
        _ = Self.look(&fleet, from: 1010, to: 1200)
        fleet.releaseBrake()
        let changes = Self.look(&fleet, from: 1210, to: 1220)
        #expect(changes.first == .brakeReleased)
        #expect(changes.count == 101)
        #expect(fleet.present == 0)
    }

    @Test("gives a fleet that was there before a restart time to come back")
    func restart() {
        var fleet = FleetLiveness(past: Self.past(Self.names(50)), at: 0)
        #expect(fleet.status(of: "node-3", at: 1).status == .alive)
        #expect(fleet.status(of: "node-x", at: 1).status == .unknown)
        #expect(Self.look(&fleet, from: 0, to: 110) == [])
        let back = Array(Self.names(50).dropFirst(2))
        #expect(Self.look(&fleet, from: 115, to: 400, heard: back) == [.lost("node-0"), .lost("node-1")])
    }

    @Test("does not miss after a restart who had left or was lost before it, nor count it")
    func goneBeforeRestart() {
        let names = Self.names(100)
        let present = Array(names.prefix(40))
        let past = [
            Self.past(present), Self.past(names[40..<70], .left), Self.past(names[70...], .lost),
        ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }
        var fleet = FleetLiveness(past: past, at: 0)
        #expect(fleet.present == 40)
        #expect(Self.look(&fleet, from: 0, to: 1000, heard: present) == [])
        #expect(fleet.status(of: "node-50", at: 1000).status == .left)
        #expect(fleet.status(of: "node-80", at: 1000).status == .lost)
        fleet.heard("node-80", at: 1005)
        #expect(Self.look(&fleet, from: 1010, to: 1010, heard: present) == [.found("node-80")])
    }

    @Test("takes its own stall for what it is")
    func stall() {
        var fleet = Self.running(20)
        #expect(fleet.look(at: 4000) == [.stalled(3000)])
        #expect(Self.look(&fleet, from: 4010, to: 4110, heard: Array(Self.names(20).dropFirst())) == [])
        #expect(Self.look(&fleet, from: 4120, to: 4130, heard: Array(Self.names(20).dropFirst())) == [.lost("node-0")])
    }

    @Test("does not miss a node that said it stops, nor count it")
    func leaving() {
        var fleet = Self.running(10)
        for name in Self.names(9) { fleet.heard(name, leaving: true, at: 1005) }
        #expect(fleet.present == 1)
        #expect(Self.look(&fleet, from: 1010, to: 2000, heard: ["node-9"]) == [])
        #expect(fleet.status(of: "node-0", at: 2000).status == .left)
        fleet.heard("node-0", leaving: false, at: 2001)
        #expect(fleet.status(of: "node-0", at: 2001).status == .alive)
        fleet.remove("node-9")
        #expect(fleet.status(of: "node-9", at: 2001).status == .unknown)
    }

    @Test("has no brake for a handful of nodes")
    func tiny() {
        var fleet = Self.running(2)
        #expect(Self.look(&fleet, from: 1010, to: 1200) == [.lost("node-0"), .lost("node-1")])
    }
}
