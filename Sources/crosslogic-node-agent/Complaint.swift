internal import Glibc

/// Words for whoever typed the command.
enum Complaint {
    static func say(_ line: String) {
        let bytes = Array("crosslogic-node-agent: \(line)\n".utf8)
        // Short lines go out in one piece; there is nobody to tell when even that fails.
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
