/// What a real engine printed and did, as `record-transcript` wrote it down.
struct Transcript: Equatable {
    enum Event: Equatable {
        case output(standardError: Bool, text: String)
        /// A process got this title (`VLLM::EngineCore`); its parent is `main` or another title.
        case spawn(title: String, parent: String)
        case listen
        case exit(code: Int32)
    }

    struct Entry: Equatable {
        /// Seconds since exec.
        var at: Double
        var event: Event
    }

    var entries: [Entry]

    /// nil where a line is not of the form `SECONDS VERB [TEXT]`.
    static func parse(_ text: String) -> Transcript? {
        var entries: [Entry] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            guard words.count >= 2, let at = Double(words[0]),
                let event = event(verb: words[1], text: words.count == 3 ? words[2] : "")
            else { return nil }
            entries.append(Entry(at: at, event: event))
        }
        return Transcript(entries: entries)
    }

    private static func event(verb: Substring, text: Substring) -> Event? {
        switch verb {
        case "out": .output(standardError: false, text: unescaped(text))
        case "err": .output(standardError: true, text: unescaped(text))
        case "listen": .listen
        case "exit": Int32(text).map(Event.exit)
        case "spawn": spawn(text)
        default: nil
        }
    }

    private static func spawn(_ text: Substring) -> Event? {
        let words = text.split(separator: " ")
        guard words.count == 3, words[1] == "<" else { return nil }
        return .spawn(title: String(words[0]), parent: String(words[2]))
    }

    private static func unescaped(_ text: Substring) -> String {
        var result = ""
        var rest = text.makeIterator()
        while let character = rest.next() {
            guard character == "\\" else {
                result.append(character)
                continue
            }
            switch rest.next() {
            case "n": result.append("\n")
            case "r": result.append("\r")
            case "e": result.append("\u{1B}")
            case let other?: result.append(other)
            case nil: result.append("\\")
            }
        }
        return result
    }
}
