/// Why a part did not come, judged: with the classes of the preflight.
package struct DownloadTrouble: Error, Equatable, Sendable {
    package var report: FailureReport
    /// Whether the same request may work a moment later.
    package var mayPass: Bool

    private static let refusedKeys: Set<String> = [
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
    ]

    package init(_ failure: HTTPFailure, of name: String) {
        let message = "\(name): \(failure.message)"
        switch failure.kind {
        case .resolve, .connect, .tls:
            self.init(.endpointUnreachable, message, mayPass: failure.kind != .tls)
        case .timeout: self.init(.endpointStalled, message, mayPass: true)
        case .truncated, .other: self.init(.weightsUnreadable, message, mayPass: true)
        case .tooLarge:
            self.init(.weightsUnreadable, "\(name): the store sent more than was asked for", mayPass: false)
        case .cancelled: self.init(.weightsUnreadable, message, mayPass: false)
        }
    }

    /// `code` is S3's own word.
    package init(status: Int, code: String?, of name: String) {
        let words = "\(name): the store answered \(StoreTrouble.refused(status: status, code: code).words)"
        switch status {
        case 500..., 429, 408: self.init(.weightsUnreadable, words, mayPass: true)
        case _ where code == "RequestTimeTooSkewed": self.init(.clockSkewed, words, mayPass: false)
        case _ where code.map(Self.refusedKeys.contains) == true:
            self.init(.credentialsRejected, words, mayPass: false)
        case 404: self.init(.weightsUnreadable, "\(name) is listed, but cannot be found", mayPass: false)
        default: self.init(.weightsUnreadable, words, mayPass: false)
        }
    }

    package init(changed name: String) {
        self.init(.weightsUnreadable, "\(name) was replaced while it was downloaded", mayPass: false)
    }

    package init(_ failure: FileFailure) {
        self.init(.localStorage, failure.message, mayPass: false)
    }

    private init(_ failure: FailureClass, _ message: String, mayPass: Bool) {
        report = FailureReport(failure, message: String(message.prefix(1024)), process: "agent")
        self.mayPass = mayPass
    }
}
