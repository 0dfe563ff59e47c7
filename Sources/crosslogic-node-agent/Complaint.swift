internal import Glibc

/// Words for whoever typed the command.
enum Complaint {
    static func say(_ line: String) { write("crosslogic-node-agent: \(line)\n") }

    static func write(_ line: String) {
        let bytes = Array(line.utf8)
        // Short lines go out in one piece; there is nobody to tell when even that fails.
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
