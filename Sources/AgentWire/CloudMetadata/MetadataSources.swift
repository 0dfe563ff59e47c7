package import AgentCore

/// Which sources a cloud has. None for those whose only word is the power button, the signal or the control plane's.
package enum MetadataSources {
    /// `granted` is from the notice to the power button, where the VM was created with one (GCP).
    package static func all(for cloud: Cloud, granted: Duration?) -> [any MetadataSource] {
        switch cloud {
        case .aws: [AWSMetadata()]
        case .gcp: [GCPMetadata(.preempted, granted: granted), GCPMetadata(.maintenance)]
        case .azure: [AzureMetadata()]
        case .alibaba: [TerminationTimeMetadata(.alibaba)]
        case .tencent: [TerminationTimeMetadata(.tencent)]
        case .oracle: [OracleMetadata()]
        case .nebius, .lambda, .runpod, .vast, .generic: []
        }
    }
}
