package import AgentCore
internal import Glibc

/// Follows the engine's log by name: whatever file is at the path, through rotation, truncation and deletion.
///
/// A file that is cut and grows past the old offset between two looks cannot be told from one that only grew.
package struct InotifyLogSource: EngineLogSource {
    package init() {}

    package func follow(_ path: String) throws(FailureReport) -> any EngineLogFollower {
        let opened = try EngineLogFile.openForReading(path)
        return LogFollower(path: path, file: opened?.file, offset: Int64(opened?.status.st_size ?? 0))
    }

    package func follow(_ path: String, from offset: Int64) throws(FailureReport) -> any EngineLogFollower {
        LogFollower(path: path, file: try EngineLogFile.openForReading(path)?.file, offset: offset)
    }
}
