internal import AgentCore
internal import CSystemd

/// One connection to PID 1 over the system bus, used on one queue.
final class ManagerConnection {
    /// Microseconds. An answer that comes later than the record is of no use.
    private static let patience: UInt64 = 1_000_000

    private var bus: OpaquePointer?

    init() throws(SystemError) {
        try Self.check("open system bus", sd_bus_open_system(&bus))
        sd_bus_set_method_call_timeout(bus, Self.patience)
    }

    deinit {
        // Not flushed: that would wait for a bus that hangs.
        sd_bus_close_unref(bus)
    }

    /// nil while the process runs, and where there was none.
    func mainExit(of place: EnginePlace) throws(SystemError) -> MainExit? {
        var service = csystemd_service()
        try Self.check("ask systemd", csystemd_service_status(bus, place.busPath, &service))
        guard let exit = EngineExit(childCode: service.main_code, status: service.main_status) else { return nil }
        let result = withUnsafeBytes(of: service.result) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let controlPID = service.control_pid == 0 ? nil : Int32(bitPattern: service.control_pid)
        return MainExit(
            pid: Int32(bitPattern: service.main_pid), exit: exit, result: result, controlPID: controlPID)
    }

    private static func check(_ operation: String, _ result: Int32) throws(SystemError) {
        guard result < 0 else { return }
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
