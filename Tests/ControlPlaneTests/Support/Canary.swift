/// Texts that must turn up nowhere but where they belong.
enum Canary {
    static let accessKey = "CANARY-access-key-5f1c"
    static let secretKey = "CANARY-secret-key-9a7e"
    static let adminToken = "CANARY-admin-token-33d0"
    static let callbackSecret = "CANARY-callback-secret-c2b8"
}
