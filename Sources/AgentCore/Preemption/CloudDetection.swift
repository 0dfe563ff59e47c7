/// What this machine says about itself; read by a thin shell, decided here. Every value may be absent.
package struct CloudEvidence: Equatable, Sendable {
    /// `CROSSLOGIC_CLOUD`.
    package var setting: String?
    /// The assignment's `provider`.
    package var provider: String?
    /// `cloud` in `SKYPILOT_CLUSTER_INFO`.
    package var launcher: String?
    package var systemVendor: String?
    package var productName: String?
    package var chassisAssetTag: String?
    package var biosVendor: String?
    package var biosVersion: String?
    /// `/run/cloud-init/cloud-id`.
    package var cloudInit: String?

    package init() {}
}

/// Decides without asking the network: a wrong guess there would enable, delay or be refused by a metadata service.
package enum CloudDetection {
    /// ASCII codes of "MSFT AZURE VM". The vendor's name alone is also that of a Hyper-V at home.
    private static let azureAssetTag = "7783-7084-3265-9085-8269-3286-77"

    package static func cloud(for evidence: CloudEvidence) -> Cloud {
        for name in [evidence.setting, evidence.provider, evidence.launcher] {
            if let cloud = name.flatMap({ Cloud(name: $0) }) { return cloud }
        }
        return fromFirmware(evidence) ?? evidence.cloudInit.flatMap { Cloud(name: $0) } ?? .generic
    }

    private static func fromFirmware(_ evidence: CloudEvidence) -> Cloud? {
        let vendor = plain(evidence.systemVendor)
        let product = plain(evidence.productName)
        let tag = plain(evidence.chassisAssetTag)
        if [vendor, tag, plain(evidence.biosVendor)].contains("amazon ec2") { return .aws }
        if vendor == "xen", plain(evidence.biosVersion).contains("amazon") { return .aws }
        if product == "google compute engine" || vendor == "google" { return .gcp }
        if tag == azureAssetTag { return .azure }
        if tag == "oraclecloud.com" { return .oracle }
        if product == "alibaba cloud ecs" || vendor == "alibaba cloud" { return .alibaba }
        if vendor == "tencent cloud" { return .tencent }
        return nil
    }

    /// Firmware pads its strings with blanks, and vendors have changed their capitals.
    private static func plain(_ text: String?) -> String {
        (text ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ").lowercased()
    }
}
