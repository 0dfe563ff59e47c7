/// A value that must never be printed: not by `print`, not in a log, not by reflection.
///
/// The only way to the text is `reveal()`, so that every use can be found by searching for that word.
package struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    package init(_ text: String) {
        self.text = text
    }

    package func reveal() -> String { text }

    package var isEmpty: Bool { text.isEmpty }

    package var description: String { "<redacted>" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
