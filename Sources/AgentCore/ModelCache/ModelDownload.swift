/// A download that begins before an engine is started.
package struct ModelDownload: Equatable, Sendable {
    package var state: CacheState
    /// What has to come; zero with a warm cache.
    package var missingBytes: UInt64
    /// The whole model.
    package var totalBytes: UInt64

    package init(state: CacheState, missingBytes: UInt64, totalBytes: UInt64) {
        self.state = state
        self.missingBytes = missingBytes
        self.totalBytes = totalBytes
    }

    package init(_ plan: DownloadPlan) {
        self.init(state: plan.state, missingBytes: plan.missingBytes, totalBytes: plan.totalBytes)
    }
}
