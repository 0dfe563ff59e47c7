import Glibc

/// A socket as ZeroMQ makes it for EngineCore: under a random name in VLLM_RPC_BASE_PATH, else in /tmp, and there until
/// whoever bound it closes it. Who is killed does not.
struct RPCSocket {
    private let descriptor: Int32
    private let path: String

    init?() {
        let folder = environmentValue("VLLM_RPC_BASE_PATH") ?? environmentValue("TMPDIR") ?? "/tmp"
        guard let uuid = readFile("/proc/sys/kernel/random/uuid") else { return nil }
        let path = "\(folder)/\(String(decoding: uuid.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))"
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < capacity else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else {
            Glibc.close(socket)
            return nil
        }
        descriptor = socket
        self.path = path
    }

    func close() {
        unlink(path)
        Glibc.close(descriptor)
    }
}
