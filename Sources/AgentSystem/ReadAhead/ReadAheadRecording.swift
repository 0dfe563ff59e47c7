package import AgentCore
internal import Dispatch
internal import Glibc
internal import Locking

package enum ReadAheadRecording {
    /// In the order of first use. Blocks for seconds.
    @discardableResult
    package static func record(
        engine executable: String, to path: String, use: FirstUse
    ) throws(FileFailure) -> ReadAheadPlan {
        let plan = WorkingSet.resident(engine: executable).inOrder(of: use)
        guard !plan.files.isEmpty else { return plan }
        // It is the next boot that reads it.
        try LinuxFileStore().writeAtomically(plan.text, to: path, mode: 0o644)
        return plan
    }
}

/// For units: a oneshot of root's, whose files the engine's are.
package final class UnitReadAheadRecorder: ReadAheadRecorder {
    private let executor = QueueExecutor(label: "io.crosslogic.read-ahead")
    private let door: EngineDoor

    package init(path: String = SystemdEngineHost.standardPath) {
        door = EngineDoor(path, on: executor)
    }

    package func record(engine executable: String) async {
        // The unit knows where the engine is; it is started and not waited for.
        try? await Abandonable.run(on: executor.queue) { [door] () throws(FileFailure) in
            _ = door.askHere(.recordReadAhead)
        }
    }
}
