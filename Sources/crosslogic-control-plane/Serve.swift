internal import ArgumentParser
internal import ControlPlane
internal import FoundationEssentials
internal import Glibc
internal import Logging

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve the nodes' and the operator's HTTP endpoints.",
        discussion: """
            Prints one line on stdout once it listens: "listening on http://HOST:PORT". The log goes to stderr.
            SIGTERM or SIGINT stops it: waiting polls are answered, requests in progress finish.

            ENVIRONMENT, also from --env-file; the environment wins
              R2_ENDPOINT, R2_BUCKET, R2_ACCESS_KEY, R2_SECRET_KEY
                  The store whose credentials nodes get with their assignment. All of
                  them, or none to leave it to each node's own settings.
              R2_CDN_DOMAIN
                  Public name in front of the bucket. Optional.
              CROSSLOGIC_ADMIN_TOKEN
                  Bearer token of the operator's endpoints. Needed to listen on
                  anything but loopback.
              CROSSLOGIC_ASK_HEARTBEATS=on
                  Whether nodes are asked to push their heartbeats, which shows the
                  progress of those that cannot be reached. on or off.

            EXIT CODES
              0   stopped as asked
              1   unexpected failure
              64  wrong usage
              69  address or data folder in use, or data folder unusable
              78  bad settings, each of them named on stderr
            """)

    @Option(help: ArgumentHelp("Address to listen on; port 0 takes any free one.", valueName: "host:port"))
    var listen = "127.0.0.1:8080"

    @Option(help: ArgumentHelp("Folder of the database, made when missing.", valueName: "dir"))
    var dataDir = "control-plane-data"

    @Option(help: ArgumentHelp("File of NAME=value lines; may be given several times.", valueName: "file"))
    var envFile: [String] = []

    mutating func run() async throws {
        LoggingSystem.bootstrap { label in StreamLogHandler.standardError(label: label) }
        let logger = Logger(label: "control-plane")
        do {
            let settings = try ControlPlaneSettings(
                files: envFile, environment: ProcessInfo.processInfo.environment, listen: listen)
            if settings.store == nil {
                logger.warning("no R2_* settings: assignments carry no credentials, nodes need their own")
            }
            let store = try NodeStore(directory: dataDir)
            let server = ControlPlaneServer(settings: settings, store: store, logger: logger)
            try await server.run { address in Self.announce(address) }
        } catch {
            throw exit(after: error)
        }
    }

    /// Whoever started us reads this line to learn the port, so it must not wait in a buffer.
    private static func announce(_ address: ListenAddress) {
        print("listening on http://\(address)")
        fflush(nil)
    }

    private func exit(after error: any Error) -> ExitCode {
        switch error {
        case let settings as InvalidSettings:
            for message in settings.messages { complain(message) }
            return ExitCode(EX_CONFIG)
        case let failure as StoreFailure:
            complain(failure.message)
            return ExitCode(EX_UNAVAILABLE)
        case let failure as ListenFailure:
            complain(failure.message)
            return ExitCode(EX_UNAVAILABLE)
        default:
            complain("\(error)")
            return .failure
        }
    }

    private func complain(_ line: String) {
        let bytes = Array("crosslogic-control-plane: \(line)\n".utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
