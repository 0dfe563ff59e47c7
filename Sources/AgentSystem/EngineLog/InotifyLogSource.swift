package import AgentCore

/// Follows the engine's log by name: whatever file is at the path, through rotation, truncation and deletion.
///
/// What no reader by name can see: a file that takes the name and loses it again between two looks, and what was
/// written to a file between the last look and its truncation.
package struct InotifyLogSource: EngineLogSource {
    /// What a symbolic link at the path means.
    package enum Links: Sendable {
        /// It is not the log. For one the agent's own engine writes: the usual path lies in /tmp, where anybody can
        /// put a link to a file that only root may read or that the engine would overwrite.
        case refused
        /// The log is what it leads to, also after it was pointed elsewhere. For a log that somebody else's launcher
        /// writes: the operator has named it, and /tmp/vllm.log may well lead to /var/log.
        case followed
    }

    private let links: Links

    package init(links: Links = .refused) {
        self.links = links
    }

    package func follow(_ path: String, from start: LogStart) throws(FailureReport) -> any EngineLogFollower {
        let path = LogPath(path, links: links)
        let opened = try EngineLogFile.openForReading(path)
        return LogFollower(path, opened: opened, from: start)
    }
}
