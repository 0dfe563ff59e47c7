internal import AgentCore
internal import AgentWire

/// Reads what the machine says about itself; `CloudDetection` makes something of it.
struct CloudReader: Sendable {
    private static let firmware = "/sys/class/dmi/id"
    private static let cloudInit = "/run/cloud-init/cloud-id"

    let settings: AgentSettings
    let files: any FileStore

    func place(for assignment: Assignment?) -> CloudPlace {
        let cluster = launcherWords()
        var evidence = CloudEvidence()
        evidence.setting = settings.cloud
        evidence.provider = assignment?.provider
        evidence.launcher = cluster["cloud"]?.stringValue
        evidence.systemVendor = line("\(Self.firmware)/sys_vendor")
        evidence.productName = line("\(Self.firmware)/product_name")
        evidence.chassisAssetTag = line("\(Self.firmware)/chassis_asset_tag")
        evidence.biosVendor = line("\(Self.firmware)/bios_vendor")
        evidence.biosVersion = line("\(Self.firmware)/bios_version")
        evidence.cloudInit = line(Self.cloudInit)
        let cloud = CloudDetection.cloud(for: evidence)
        return CloudPlace(
            cloud, region: assignment?.region ?? cluster["region"]?.stringValue, zone: cluster["zone"]?.stringValue,
            // Nitro's product name is the instance type.
            instanceType: cloud == .aws && evidence.systemVendor == "Amazon EC2" ? evidence.productName : nil)
    }

    /// What SkyPilot tells its tasks; an empty object where there is none.
    private func launcherWords() -> JSONValue {
        guard let text = settings.environment["SKYPILOT_CLUSTER_INFO"], text.utf8.count <= 64 << 10,
            let words = try? JSONValue.parse([UInt8](text.utf8))
        else { return .object([:]) }
        return words
    }

    /// nil for what is absent, empty or unreadable: containers and small boards have no such files.
    private func line(_ path: String) -> String? {
        guard let bytes = try? files.read(path, limit: 4096) else { return nil }
        let line = String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0 }, as: UTF8.self)
        return line.isEmpty ? nil : line
    }
}
