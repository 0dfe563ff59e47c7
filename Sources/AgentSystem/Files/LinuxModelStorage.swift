package import AgentCore
internal import COpenSSL
internal import Glibc

/// Downloaded models on a Linux file system. The engine has another user, so what lies here is readable for everyone.
package struct LinuxModelStorage: ModelStorage {
    private static let folderMode: mode_t = 0o755
    private static let fileMode: mode_t = 0o644
    /// Folders within folders; a model has one or two.
    private static let deepest = 16
    private static let readBytes = 1 << 20

    package init() {}

    package func sizes(below folder: String) throws(FileFailure) -> [String: UInt64] {
        var found: [String: UInt64] = [:]
        try collect(folder, prefix: "", depth: 0, into: &found)
        return found
    }

    private func collect(
        _ folder: String, prefix: String, depth: Int, into found: inout [String: UInt64]
    ) throws(FileFailure) {
        for name in try LinuxFileStore().list(folder) where !name.hasPrefix(".") {
            var status = stat()
            guard lstat("\(folder)/\(name)", &status) == 0 else { continue }
            switch FileKind(mode: status.st_mode) {
            case .regular: found[prefix + name] = UInt64(status.st_size)
            case .directory where depth < Self.deepest:
                try collect("\(folder)/\(name)", prefix: "\(prefix)\(name)/", depth: depth + 1, into: &found)
            default: break
            }
        }
    }

    package func makeFolder(_ folder: String) throws(FileFailure) {
        if FileKind(at: folder) == .directory { return }
        if let slash = folder.lastIndex(of: "/"), slash != folder.startIndex { try makeFolder(String(folder[..<slash])) }
        do throws(SystemError) {
            if mkdir(folder, Self.folderMode) == -1 {
                guard errno != EEXIST else { return }
                throw SystemError(operation: "mkdir", code: errno)
            }
            // The umask has no say in it.
            try SystemError.check("chmod") { chmod(folder, Self.folderMode) }
        } catch {
            throw error.on(folder)
        }
    }

    package func begin(_ path: String, bytes: UInt64) throws(FileFailure) {
        if let slash = path.lastIndex(of: "/") { try makeFolder(String(path[..<slash])) }
        _ = unlink(path)
        do throws(SystemError) {
            let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Self.fileMode)
            try SystemError.check("fchmod") { fchmod(file.number, Self.fileMode) }
            try SystemError.check("ftruncate") { ftruncate(file.number, off_t(bytes)) }
        } catch {
            throw error.on(path)
        }
    }

    package func head(of path: String, count: Int) throws(FileFailure) -> [UInt8] {
        do throws(SystemError) {
            return try Descriptor.open(path, O_RDONLY | O_NOFOLLOW).read(upTo: count, at: 0)
        } catch {
            throw error.on(path)
        }
    }

    package func finish(_ path: String, as name: String) throws(FileFailure) {
        do throws(SystemError) {
            try Descriptor.open(path, O_RDONLY | O_NOFOLLOW).sync()
            try SystemError.check("rename") { rename(path, name) }
        } catch {
            throw error.on(path)
        }
    }

    package func md5(of path: String) throws(FileFailure) -> String? {
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestInit_ex(context, EVP_md5(), nil) == 1 else { return nil }
        do throws(SystemError) {
            let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
            var offset: Int64 = 0
            while true {
                let bytes = try file.read(upTo: Self.readBytes, at: offset)
                if bytes.isEmpty { break }
                EVP_DigestUpdate(context, bytes, bytes.count)
                offset += Int64(bytes.count)
            }
        } catch {
            throw error.on(path)
        }
        let digest = [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
            EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            count = 16
        }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    package func removeFolder(_ folder: String) throws(FileFailure) {
        guard let stream = opendir(folder) else {
            let code = errno
            if code == ENOENT { return }
            throw SystemError(operation: "opendir", code: code).on(folder)
        }
        defer { closedir(stream) }
        while let name = LinuxFileStore.nextName(stream) {
            guard name != ".", name != ".." else { continue }
            let path = "\(folder)/\(name)"
            if FileKind(at: path) == .directory {
                try removeFolder(path)
            } else if unlink(path) == -1, errno != ENOENT {
                throw SystemError(operation: "unlink", code: errno).on(path)
            }
        }
        guard rmdir(folder) == 0 || errno == ENOENT else {
            throw SystemError(operation: "rmdir", code: errno).on(folder)
        }
    }
}
