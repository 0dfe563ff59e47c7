/// Whose machine this is: decides where notices come from and how much time they leave.
package enum Cloud: String, CaseIterable, Sendable {
    case aws
    case gcp
    case azure
    case oracle
    case alibaba
    case tencent
    case nebius
    case lambda
    case runpod
    case vast
    /// No metadata service with notices that we know of: logind, SIGTERM and the control plane remain.
    case generic

    /// By any name a launcher, cloud-init or an operator calls it; nil for one we do not know.
    package init?(name: some StringProtocol) {
        let name = name.lowercased().filter { $0.isLetter || $0.isNumber }
        // cloud-init appends regions: aws-china, azure-gov.
        let known: [(prefix: String, cloud: Cloud)] = [
            ("aws", .aws), ("ec2", .aws), ("amazon", .aws), ("gcp", .gcp), ("gce", .gcp), ("google", .gcp),
            ("azure", .azure), ("microsoft", .azure), ("oci", .oracle), ("oracle", .oracle), ("aliyun", .alibaba),
            ("alibaba", .alibaba), ("tencent", .tencent), ("nebius", .nebius), ("lambda", .lambda),
            ("runpod", .runpod), ("vast", .vast), ("generic", .generic),
        ]
        guard let hit = known.first(where: { name.hasPrefix($0.prefix) }) else { return nil }
        self = hit.cloud
    }

    /// What a notice is worth when it does not say when the end comes: the shortest time that is credible, counted
    /// from the moment we first see it.
    package var shortestNotice: Duration {
        switch self {
        case .aws: .seconds(105)
        case .gcp: .seconds(22)
        case .azure: .seconds(8)
        case .oracle: .seconds(110)
        case .alibaba: .seconds(290)
        case .tencent: .seconds(110)
        case .nebius: .seconds(55)
        case .lambda, .runpod, .vast, .generic: .seconds(25)
        }
    }

    /// The longest time a spot notice gives a drain, and so what the engine must be able to go on for.
    package var longestNotice: Duration {
        switch self {
        case .aws, .tencent, .oracle: .seconds(120)
        case .gcp: .seconds(145)
        // Azure says 30 seconds and evicts after ten (Azure/karpenter-provider-azure#1769).
        case .azure: .seconds(8)
        case .alibaba: .seconds(300)
        case .nebius: .seconds(60)
        case .lambda, .runpod, .vast, .generic: .seconds(30)
        }
    }

    /// What a drain can count on. Google gives no time ahead of the power button unless the machine was created so.
    package func window(granted: Duration?) -> Duration {
        self == .gcp ? granted.map { $0 + softOff } ?? shortestNotice : longestNotice
    }

    /// From the power button to the plug: what ACPI soft-off leaves.
    package var softOff: Duration {
        self == .nebius ? .seconds(55) : .seconds(22)
    }
}

/// Where the node stands, for a placement that learns from notices. All but the cloud may be unknown.
package struct CloudPlace: Equatable, Sendable {
    package var cloud: Cloud
    package var region: String?
    package var zone: String?
    package var instanceType: String?

    package init(_ cloud: Cloud, region: String? = nil, zone: String? = nil, instanceType: String? = nil) {
        self.cloud = cloud
        self.region = region
        self.zone = zone
        self.instanceType = instanceType
    }

    /// What is known here wins over what is known there.
    package func completed(by other: CloudPlace) -> CloudPlace {
        CloudPlace(
            cloud, region: region ?? other.region, zone: zone ?? other.zone,
            instanceType: instanceType ?? other.instanceType)
    }
}
