internal import Glibc

/// A descriptor of this process.
package struct OpenDescriptor: Equatable, Sendable {
    package var number: Int32
    /// What the link in `/proc/self/fd` says.
    package var target: String
    package var isCloseOnExec: Bool

    package static func all() -> [OpenDescriptor] {
        (0..<1024).compactMap { number in
            let flags = fcntl(Int32(number), F_GETFD)
            guard flags >= 0 else { return nil }
            var text = [CChar](repeating: 0, count: 128)
            let length = readlink("/proc/self/fd/\(number)", &text, text.count)
            let target = String(decoding: text.prefix(max(length, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return OpenDescriptor(number: Int32(number), target: target, isCloseOnExec: flags & FD_CLOEXEC != 0)
        }
    }
}
