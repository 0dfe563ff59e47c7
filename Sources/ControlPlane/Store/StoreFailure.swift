/// The database cannot be opened, read or written: full disk, broken file, lost permission.
package struct StoreFailure: Error, Equatable, Sendable {
    /// What, where and what to do.
    package var message: String
}
