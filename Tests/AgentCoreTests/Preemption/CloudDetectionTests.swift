internal import AgentCore
internal import Testing

@Suite struct CloudDetectionTests {
    private static func evidence(_ fill: (inout CloudEvidence) -> Void) -> CloudEvidence {
        var evidence = CloudEvidence()
        fill(&evidence)
        return evidence
    }

    @Test("Nothing known is generic")
    func nothing() {
        #expect(CloudDetection.cloud(for: CloudEvidence()) == .generic)
    }

    @Test(
        "What the launcher says wins over the firmware, and the setting over both",
        arguments: [
            (evidence { $0.systemVendor = "Amazon EC2" }, Cloud.aws),
            (evidence { ($0.systemVendor, $0.launcher) = ("Amazon EC2", "gcp") }, .gcp),
            (evidence { ($0.provider, $0.launcher) = ("azure", "gcp") }, .azure),
            (evidence { ($0.setting, $0.provider) = ("tencent", "azure") }, .tencent),
            (evidence { ($0.provider, $0.systemVendor) = ("some-new-cloud", "Google") }, .gcp),
        ])
    func order(evidence: CloudEvidence, cloud: Cloud) {
        #expect(CloudDetection.cloud(for: evidence) == cloud)
    }

    @Test(
        "Each cloud by its firmware or by cloud-init",
        arguments: [
            (evidence { $0.chassisAssetTag = "Amazon EC2" }, Cloud.aws),
            (evidence { ($0.systemVendor, $0.biosVersion) = ("Xen", "4.11.amazon") }, .aws),
            (evidence { $0.productName = "Google Compute Engine" }, .gcp),
            (evidence { $0.chassisAssetTag = "7783-7084-3265-9085-8269-3286-77" }, .azure),
            (evidence { $0.chassisAssetTag = "OracleCloud.com" }, .oracle),
            (evidence { $0.productName = "Alibaba Cloud ECS" }, .alibaba),
            (evidence { $0.systemVendor = "Tencent Cloud" }, .tencent),
            (evidence { $0.systemVendor = "Google   " }, .gcp), (evidence { $0.biosVendor = " AMAZON EC2\t" }, .aws),
            (evidence { ($0.chassisAssetTag, $0.systemVendor) = ("OracleCloud.com ", "QEMU") }, .oracle),
            (evidence { $0.cloudInit = "aws-china" }, .aws), (evidence { $0.cloudInit = "azure-china" }, .azure),
        ])
    func firmware(evidence: CloudEvidence, cloud: Cloud) {
        #expect(CloudDetection.cloud(for: evidence) == cloud)
    }

    @Test("Hyper-V and Xen at home are no clouds")
    func lookalikes() {
        let hyperV = Self.evidence {
            ($0.systemVendor, $0.productName) = ("Microsoft Corporation", "Virtual Machine")
        }
        #expect(CloudDetection.cloud(for: hyperV) == .generic)
        #expect(CloudDetection.cloud(for: Self.evidence { $0.systemVendor = "Xen" }) == .generic)
    }

    @Test(
        "Names as launchers write them",
        arguments: [
            ("AWS", Cloud.aws), ("Lambda Cloud", .lambda), ("Vast.ai", .vast), ("RunPod", .runpod), ("OCI", .oracle),
            ("google-cloud", .gcp), ("nebius", .nebius), ("aliyun", .alibaba),
        ])
    func names(name: String, cloud: Cloud) {
        #expect(Cloud(name: name) == cloud)
    }

    @Test("An engine's own time ends before the agent would kill it", arguments: Cloud.allCases)
    func engineTimeout(cloud: Cloud) {
        let window = cloud.window(granted: nil)
        let timeout = DrainPlan.engineTimeout(on: cloud, granted: nil)
        let now = BootInstant(nanoseconds: 0)
        let notice = Notice(
            id: "n", kind: .terminate, source: "s", firstSeenAt: now, deadline: now + window, word: "")
        let plan = DrainPlan(for: notice, on: cloud)
        #expect(timeout >= .seconds(1))
        #expect(now + timeout < plan.cut)
        #expect(plan.cut < notice.deadline)
        #expect(plan.begins == now)
    }
}
