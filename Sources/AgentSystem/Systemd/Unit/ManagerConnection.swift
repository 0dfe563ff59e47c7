internal import AgentCore
internal import CSystemd
internal import Glibc

/// One connection to PID 1 over the system bus, used on one queue.
final class ManagerConnection {
    private static let service = "org.freedesktop.systemd1"
    /// Microseconds. An answer that comes later than the record is of no use.
    private static let patience: UInt64 = 1_000_000

    private var bus: OpaquePointer?

    init() throws(SystemError) {
        try Self.check("open system bus", sd_bus_open_system(&bus))
        sd_bus_set_method_call_timeout(bus, Self.patience)
    }

    deinit {
        sd_bus_flush_close_unref(bus)
    }

    /// nil while the process runs, and where there was none.
    func mainExit(of place: EnginePlace) throws(SystemError) -> MainExit? {
        var code: Int32 = 0
        var status: Int32 = 0
        var controlPID: UInt32 = 0
        try get("ExecMainCode", of: place, "i", &code)
        guard code != 0 else { return nil }
        try get("ExecMainStatus", of: place, "i", &status)
        try get("ControlPID", of: place, "u", &controlPID)
        guard let exit = EngineExit(childCode: code, status: status) else { return nil }
        let result = try result(of: place)
        // Last: what was told before belongs to this execution, or to one that an earlier question knew.
        return MainExit(
            invocation: try invocation(of: place), result: result, exit: exit,
            controlPID: controlPID == 0 ? nil : Int32(bitPattern: controlPID))
    }

    private func get(
        _ property: String, of place: EnginePlace, _ type: Unicode.Scalar, _ value: UnsafeMutableRawPointer
    ) throws(SystemError) {
        let result = sd_bus_get_property_trivial(
            bus, Self.service, place.busPath, "org.freedesktop.systemd1.Service", property, nil,
            CChar(truncatingIfNeeded: type.value), value)
        try Self.check(property, result)
    }

    private func result(of place: EnginePlace) throws(SystemError) -> String {
        var text: UnsafeMutablePointer<CChar>?
        defer { free(text) }
        let found = sd_bus_get_property_string(
            bus, Self.service, place.busPath, "org.freedesktop.systemd1.Service", "Result", nil, &text)
        try Self.check("Result", found)
        return text.map { String(cString: $0) } ?? ""
    }

    /// As `$INVOCATION_ID` has it.
    private func invocation(of place: EnginePlace) throws(SystemError) -> String {
        var reply: OpaquePointer?
        defer { sd_bus_message_unref(reply) }
        let found = sd_bus_get_property(
            bus, Self.service, place.busPath, "org.freedesktop.systemd1.Unit", "InvocationID", nil, &reply, "ay")
        try Self.check("InvocationID", found)
        var bytes: UnsafeRawPointer?
        var count = 0
        try Self.check(
            "InvocationID", sd_bus_message_read_array(reply, CChar(UInt8(ascii: "y")), &bytes, &count))
        return UnsafeRawBufferPointer(start: bytes, count: count).reduce(into: "") { text, byte in
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }

    @discardableResult
    private static func check(_ operation: String, _ result: Int32) throws(SystemError) -> Int32 {
        guard result < 0 else { return result }
        throw SystemError(operation: operation, code: -result)
    }
}

@available(*, unavailable)
extension ManagerConnection: Sendable {}

extension EnginePlace {
    /// As sd_bus_path_encode(3) makes it of the unit's name.
    fileprivate var busPath: String {
        "/org/freedesktop/systemd1/unit/"
            + (self == .main ? "crosslogic_2dengine_2eservice" : "crosslogic_2dengine_2dspare_2eservice")
    }
}
