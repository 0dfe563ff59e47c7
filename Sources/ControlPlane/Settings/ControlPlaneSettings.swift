package import AgentCore

/// Everything that is wrong with the settings, so that one run names it all.
package struct InvalidSettings: Error, Equatable, Sendable {
    package var faults: [FieldFault]

    package init(_ faults: [FieldFault]) {
        self.faults = faults
    }

    /// One line per fault.
    package var messages: [String] {
        faults.map { "\($0.field): \($0.problem)" }
    }
}

package struct ControlPlaneSettings: Equatable, Sendable {
    package var listen: ListenAddress
    /// Opens the admin endpoints; nil leaves them open to whoever reaches the port, so that must be loopback.
    package var adminToken: Secret?
    /// Credentials handed to nodes; nil leaves each node to its own R2_* settings.
    package var store: ObjectStore?
    /// Nodes are asked to push their heartbeats.
    package var asksForHeartbeats = true

    package init(listen: ListenAddress, adminToken: Secret? = nil, store: ObjectStore? = nil) {
        self.listen = listen
        self.adminToken = adminToken
        self.store = store
    }

    /// - Parameters:
    ///   - files: environment files; later ones win over earlier ones.
    ///   - environment: wins over the files.
    ///   - listen: `HOST:PORT`.
    /// - Throws: every fault of all of them.
    package init(
        files: [String] = [], environment: [String: String], listen: String
    ) throws(InvalidSettings) {
        let (variables, faults) = EnvironmentFiles.read(files)
        var reader = SettingsReader(
            environment: variables.merging(environment) { _, process in process }, faults: faults)
        let address = reader.listenAddress(listen)
        let adminToken = reader.adminToken()
        if let address, !address.isLoopback, adminToken == nil {
            reader.fault(
                "CROSSLOGIC_ADMIN_TOKEN", "must be set to listen on \(address): without it only loopback is allowed")
        }
        let store = reader.objectStore()
        let asksForHeartbeats = reader.isOn("CROSSLOGIC_ASK_HEARTBEATS", default: true)
        guard reader.faults.isEmpty, let address else { throw InvalidSettings(reader.faults) }
        self.init(listen: address, adminToken: adminToken, store: store)
        self.asksForHeartbeats = asksForHeartbeats
    }
}

/// Reads settings and collects every fault on the way. Never repeats a value: it may be a secret.
private struct SettingsReader {
    private let environment: [String: String]
    private(set) var faults: [FieldFault]

    init(environment: [String: String], faults: [FieldFault]) {
        self.environment = environment
        self.faults = faults
    }

    mutating func fault(_ name: String, _ problem: String) {
        faults.append(FieldFault(field: name, problem: problem))
    }

    mutating func listenAddress(_ text: String) -> ListenAddress? {
        guard let address = ListenAddress(text) else {
            fault("--listen", "must be HOST:PORT such as 127.0.0.1:8080 or [::1]:8080")
            return nil
        }
        return address
    }

    mutating func isOn(_ name: String, default fallback: Bool) -> Bool {
        switch value(name) {
        case nil: return fallback
        case "on": return true
        case "off": return false
        default:
            fault(name, "must be on or off")
            return fallback
        }
    }

    mutating func adminToken() -> Secret? {
        guard let token = value("CROSSLOGIC_ADMIN_TOKEN") else { return nil }
        guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), token.utf8.count <= 512 else {
            fault("CROSSLOGIC_ADMIN_TOKEN", "must be at most 512 printable ASCII characters without blanks")
            return nil
        }
        return Secret(token)
    }

    /// All of it or none: half a store would only fail later, on the node.
    mutating func objectStore() -> ObjectStore? {
        let names = ["R2_ENDPOINT", "R2_BUCKET", "R2_ACCESS_KEY", "R2_SECRET_KEY"]
        let values = names.compactMap { value($0) }
        if values.isEmpty { return nil }
        for name in names where value(name) == nil {
            fault(name, "is missing, while others of R2_* are set; set none of them to leave the store to the nodes")
        }
        if let problem = value("R2_ENDPOINT").flatMap(AssignmentRules.url) {
            fault("R2_ENDPOINT", problem)
        }
        if let bucket = value("R2_BUCKET"), bucket.contains("/") || bucket.contains(" ") {
            fault("R2_BUCKET", "must be the bucket's bare name")
        }
        guard values.count == names.count else { return nil }
        var store = ObjectStore(
            endpoint: values[0], bucket: values[1], accessKeyID: Secret(values[2]), secretAccessKey: Secret(values[3]))
        store.cdnDomain = value("R2_CDN_DOMAIN")
        return store
    }

    /// Set and not empty: a settings file lists names with nothing behind them.
    private func value(_ name: String) -> String? {
        guard let value = environment[name], !value.isEmpty else { return nil }
        return value
    }
}
