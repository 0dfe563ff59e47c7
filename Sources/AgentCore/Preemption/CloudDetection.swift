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
        let vendor = evidence.systemVendor ?? ""
        let product = evidence.productName ?? ""
        let tag = evidence.chassisAssetTag ?? ""
        if vendor == "Amazon EC2" || tag == "Amazon EC2" || evidence.biosVendor == "Amazon EC2" { return .aws }
        if vendor == "Xen", evidence.biosVersion?.lowercased().contains("amazon") == true { return .aws }
        if product == "Google Compute Engine" || vendor == "Google" { return .gcp }
        if tag == azureAssetTag { return .azure }
        if tag == "OracleCloud.com" { return .oracle }
        if product == "Alibaba Cloud ECS" || vendor == "Alibaba Cloud" { return .alibaba }
        if vendor == "Tencent Cloud" { return .tencent }
        return nil
    }
}
