import Glibc

/// How this engine is to behave, from `SIMULATED_VLLM_*` variables. The defaults do what the real one does.
struct Behaviour {
    enum OnTerminate: String {
        /// 0.32.0: while starting, the first SIGTERM is lost and the second works; later each one works.
        case asReal = "as-real"
        case atOnce = "at-once"
        case never = "never"
    }

    enum Answer: Equatable {
        case normal
        case status(Int)
        /// Takes the request and never answers.
        case hang
    }

    /// File to replay; the other transcripts are expected beside it.
    var transcript = ""
    /// All times are divided by this.
    var speed = 1.0
    var onTerminate = OnTerminate.asReal
    /// Exit code after the engine died under a serving API server (the real one exits 0).
    var exitAfterDeath: Int32 = 0
    /// Once this text is printed, the Worker (or what there is instead) gets SIGKILL, as from the kernel.
    var dieAt: String?
    /// Once this text is printed, nothing happens any more.
    var stallAt: String?
    var health = Answer.normal
    var completions = Answer.normal
    /// Seconds between two tokens, not divided by `speed`.
    var secondsPerToken = 0.005
    /// Replaces `{venv}` in the transcript.
    var venv = "/opt/vllm"

    /// Throws the name of the variable that makes no sense.
    static func fromEnvironment() throws(BadVariable) -> Behaviour {
        var behaviour = Behaviour()
        guard let transcript = environmentValue("SIMULATED_VLLM_TRANSCRIPT") else {
            throw BadVariable(name: "SIMULATED_VLLM_TRANSCRIPT", problem: "is not set: name a transcript to replay")
        }
        behaviour.transcript = transcript
        behaviour.speed = try value("SIMULATED_VLLM_SPEED", or: 1) { Double($0).flatMap { $0 > 0 ? $0 : nil } }
        behaviour.onTerminate = try value("SIMULATED_VLLM_SIGTERM", or: .asReal) { OnTerminate(rawValue: $0) }
        behaviour.exitAfterDeath = try value("SIMULATED_VLLM_EXIT_AFTER_DEATH", or: 0) { Int32($0) }
        behaviour.dieAt = environmentValue("SIMULATED_VLLM_DIE_AT")
        behaviour.stallAt = environmentValue("SIMULATED_VLLM_STALL_AT")
        behaviour.health = try value("SIMULATED_VLLM_HEALTH", or: .normal, parse: answer)
        behaviour.completions = try value("SIMULATED_VLLM_COMPLETIONS", or: .normal, parse: answer)
        behaviour.secondsPerToken = try value("SIMULATED_VLLM_SECONDS_PER_TOKEN", or: 0.005) { Double($0) }
        behaviour.venv = environmentValue("SIMULATED_VLLM_VENV") ?? behaviour.venv
        return behaviour
    }

    private static func answer(_ text: String) -> Answer? {
        switch text {
        case "normal": .normal
        case "hang": .hang
        default: Int(text).flatMap { (100...599).contains($0) ? .status($0) : nil }
        }
    }

    private static func value<Value>(
        _ name: String, or fallback: Value, parse: (String) -> Value?
    ) throws(BadVariable) -> Value {
        guard let text = environmentValue(name) else { return fallback }
        guard let value = parse(text) else { throw BadVariable(name: name, problem: "cannot be '\(text)'") }
        return value
    }
}

struct BadVariable: Error {
    var name: String
    var problem: String
}
