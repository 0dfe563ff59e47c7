internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

@Suite(.timeLimit(.minutes(1)))
struct NotifySocketTests {
    let folder = TemporaryFolder()

    @Test("Messages reach the service manager's socket whole and in order")
    func messages() async throws {
        let socket = try #require(DatagramSocket(folder.file("notify")))
        // The environment belongs to a whole process, so the sender is one of its own.
        await #expect(processExitsWith: .success) { [path = folder.file("notify") as String] in
            setenv("NOTIFY_SOCKET", path, 1)
            let manager = NotifySocket()
            manager.notify("READY=1\nSTATUS=serving")
            manager.notify("WATCHDOG=1")
            manager.drain()
        }
        #expect(socket.receive() == "READY=1\nSTATUS=serving")
        #expect(socket.receive() == "WATCHDOG=1")
        #expect(socket.receive() == nil)
    }

    @Test("A service manager that reads nothing holds up no caller")
    func stalledManager() async throws {
        let socket = try #require(DatagramSocket(folder.file("notify")))
        await #expect(processExitsWith: .success) { [path = folder.file("notify") as String] in
            setenv("NOTIFY_SOCKET", path, 1)
            let manager = NotifySocket()
            for _ in 0..<100_000 { manager.notify("WATCHDOG=1") }
        }
        withExtendedLifetime(socket) {}
    }

    @Test("An agent that ends has asked for the end of the target, which it had only just begun")
    func lastWord() async throws {
        let door = try #require(FakeDoor(folder.file("door")))
        await #expect(processExitsWith: .success) { [path = folder.file("door") as String] in
            let manager = NotifySocket(door: path)
            manager.serving(true)
            manager.serving(false)
            manager.drain()
        }
        #expect(door.heard == "serving\nidle\n")
    }

    @Test("Without a service manager nothing happens", arguments: [nil, "", "/nowhere/notify"])
    func noManager(value: String?) async {
        await #expect(processExitsWith: .success) { [value = value as String?] in
            if let value { setenv("NOTIFY_SOCKET", value, 1) } else { unsetenv("NOTIFY_SOCKET") }
            let manager = NotifySocket()
            manager.notify("READY=1")
            manager.drain()
        }
    }
}

/// The service manager's end of NOTIFY_SOCKET.
final class DatagramSocket {
    private let descriptor: Int32

    init?(_ path: String) {
        guard let descriptor = UnixSocket.bound(SOCK_DGRAM, at: path) else { return nil }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// The next message that is there already.
    func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
    }
}
