/// The listening sockets in `/proc/net/tcp` and `/proc/net/tcp6`.
enum TCPListenerTable {
    /// Inodes of the sockets that listen on the port.
    ///
    /// The kernel lists the listening sockets first, so reading may stop at the first other one: a busy machine has
    /// a hundred thousand of those.
    struct Reader {
        var port: UInt16
        private(set) var inodes: Set<UInt64> = []
        private(set) var isComplete = false
        private var rest: [UInt8] = []

        init(port: UInt16) {
            self.port = port
        }

        mutating func feed(_ bytes: [UInt8]) {
            rest += bytes
            while !isComplete, let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                read(rest[..<end])
                rest.removeSubrange(...end)
            }
        }

        private mutating func read(_ line: ArraySlice<UInt8>) {
            let fields = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            // `sl local_address rem_address st …` is the header.
            guard fields.count > 9, fields[0] != "sl" else { return }
            guard fields[3] == "0A" else {
                isComplete = true
                return
            }
            guard let colon = fields[1].lastIndex(of: ":"),
                UInt16(fields[1][fields[1].index(after: colon)...], radix: 16) == port,
                let inode = UInt64(fields[9])
            else { return }
            inodes.insert(inode)
        }
    }
}
