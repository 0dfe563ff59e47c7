/// What the heartbeat's listener shows to who asks over TLS: absolute paths of PEM files.
package struct HeartbeatCertificate: Equatable, Sendable {
    package var certificateFile: String
    package var keyFile: String
}

extension SettingsReader {
    /// Both or neither.
    mutating func heartbeatCertificate() -> HeartbeatCertificate? {
        let names = ["CROSSLOGIC_HEARTBEAT_TLS_CERTIFICATE", "CROSSLOGIC_HEARTBEAT_TLS_KEY"]
        let paths = names.map { path($0) }
        guard let certificate = paths[0], let key = paths[1] else {
            for (name, path) in zip(names, paths) where path == nil && paths != [nil, nil] {
                fault(name, "is missing, but the other of \(names.joined(separator: " and ")) is there")
            }
            return nil
        }
        return HeartbeatCertificate(certificateFile: certificate, keyFile: key)
    }
}
