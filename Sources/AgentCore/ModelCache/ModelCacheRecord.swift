/// What is written down beside a downloaded model: which content each of its files is, and how much of it is there.
package struct ModelCacheRecord: Equatable, Sendable {
    package struct File: Equatable, Sendable {
        package var bytes: UInt64
        package var tag: String?
        /// nil for a file that is whole, checked and synced.
        package var parts: PartSet?

        package init(bytes: UInt64, tag: String?, parts: PartSet? = nil) {
            self.bytes = bytes
            self.tag = tag
            self.parts = parts
        }
    }

    /// Where it came from: endpoint, bucket and prefix.
    package var source: String
    /// The boot in which parts were written. They are not synced, so they mean nothing after a power cut.
    package var boot: String
    /// Seconds since 1970; the model that was used longest ago makes room first.
    package var usedAt: Double
    package var files: [String: File]

    package init(source: String, boot: String, usedAt: Double, files: [String: File] = [:]) {
        self.source = source
        self.boot = boot
        self.usedAt = usedAt
        self.files = files
    }

    /// Files of one record; a model with more is no model.
    package static let fileLimit = 20_000
}
