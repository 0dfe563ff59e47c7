/// An engine that an earlier agent started, as its host found it.
package struct AdoptedEngine: Sendable {
    /// nil where it has ended in the meantime; `events` then tells how.
    package var pid: Int32?
    /// When its program was executed.
    package var startedAt: BootInstant
    /// The rest of its life. It ends after `gone`, as that of an engine of one's own does.
    package var events: AsyncStream<EngineHostEvent>
    package var place = EnginePlace.main

    package init(pid: Int32?, startedAt: BootInstant, events: AsyncStream<EngineHostEvent>) {
        self.pid = pid
        self.startedAt = startedAt
        self.events = events
    }
}
