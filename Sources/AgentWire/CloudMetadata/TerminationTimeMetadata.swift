package import AgentCore

/// Clouds whose metadata is one line with the time of the end: Alibaba (with a token) and Tencent.
package struct TerminationTimeMetadata: MetadataSource {
    package enum Provider: String, Sendable {
        case alibaba
        case tencent
    }

    private static let every = Duration.seconds(1)
    private static let tokenLife = 21_600
    /// Tencent's times are Beijing's and do not say so.
    private static let beijing = 8 * 3600
    private static let path = "/latest/meta-data/instance/spot/termination-time"
    private static let tencentPath = "/latest/meta-data/spot/termination-time"

    package var name: String { provider.rawValue }

    private let provider: Provider
    private let base: String
    private var token: (text: String, renewAt: BootInstant)?
    private var noTokenUntil: BootInstant?
    private var isAskingForToken = false
    private var nextAt = BootInstant(nanoseconds: 0)

    package init(_ provider: Provider, base: String? = nil) {
        self.provider = provider
        self.base = base ?? (provider == .alibaba ? "http://100.100.100.200" : "http://metadata.tencentyun.com")
    }

    package mutating func next(at now: BootInstant) -> MetadataStep {
        guard nextAt <= now else { return .wait(until: nextAt) }
        isAskingForToken = needsToken(at: now)
        var query = MetadataQuery(base + (provider == .alibaba ? Self.path : Self.tencentPath))
        if isAskingForToken {
            query = MetadataQuery(base + "/latest/api/token")
            query.method = .put
            query.headers["X-aliyun-ecs-metadata-token-ttl-seconds"] = String(Self.tokenLife)
        } else {
            nextAt = now + Self.every
            if let token { query.headers["X-aliyun-ecs-metadata-token"] = token.text }
        }
        return .ask(query)
    }

    private func needsToken(at now: BootInstant) -> Bool {
        guard provider == .alibaba else { return false }
        if let noTokenUntil, now < noTokenUntil { return false }
        return token.map { now >= $0.renewAt } ?? true
    }

    package mutating func take(_ answer: MetadataAnswer) -> [SourceFinding] {
        switch answer {
        case .failed(let reason, let at):
            guard isAskingForToken else { return [.failed(reason: reason)] }
            noTokenUntil = at + .seconds(30)
            return []
        case .response(let response):
            return isAskingForToken ? take(token: response) : take(time: response)
        }
    }

    private mutating func take(token response: MetadataResponse) -> [SourceFinding] {
        guard response.status == 200, let text = response.line, !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 })
        else {
            noTokenUntil = response.at + .seconds(30)
            return []
        }
        token = (text, response.at + .milliseconds(Self.tokenLife * 900))
        return []
    }

    private mutating func take(time response: MetadataResponse) -> [SourceFinding] {
        switch response.status {
        case 404: return [.listed(key: "termination-time", [])]
        case 401, 403:
            // Without a token, old or none, it will not answer: the next look begins with one.
            (token, noTokenUntil) = (nil, nil)
            return [.failed(reason: "answered \(response.status)")]
        case 200:
            guard let line = response.line, let seconds = time(line) else {
                return [.failed(reason: response.problem)]
            }
            let sighting = Sighting(
                .terminate, origin: "termination-time", deadline: response.instant(of: seconds), mark: line)
            return [.listed(key: "termination-time", [sighting])]
        default: return [.failed(reason: "answered \(response.status)")]
        }
    }

    private func time(_ line: String) -> Double? {
        provider == .tencent ? TimeText.parse(line, inZone: Self.beijing) : TimeText.parse(line)
    }
}
