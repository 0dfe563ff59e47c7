package struct HeartbeatServerLimits: Sendable {
    /// Request line and headers, in bytes; more is answered 431.
    package var headerBytes = 16 << 10
    /// A body this long is read and dropped; more is answered 413.
    package var bodyBytes = 4 << 10
    /// At one time; the next one takes the place of the one that has been idle, or else busy, for longest.
    package var connections = 256
    /// For the client to send a whole request, and for it to take a whole answer.
    package var idleTimeout = Duration.seconds(10)
    /// How long a refused client may go on sending before its connection is reset.
    package var lingerTimeout = Duration.seconds(1)

    package init() {}
}
