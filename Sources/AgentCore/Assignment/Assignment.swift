/// What the control plane wants this node to serve. One generation is one immutable wish.
package struct Assignment: Equatable, Sendable {
    /// Rises with every change; an older assignment never acts after a newer one.
    package var generation: Int64
    /// Name the engine serves under, such as `meta-llama/Llama-3-8B-Instruct`.
    package var model: String
    /// Where the weights are: `s3://bucket/prefix`.
    package var modelURI: String
    package var provider: String?
    package var region: String?
    package var gpu: String?
    package var gpuCount: Int
    package var useSpot: Bool
    /// Version the control plane expects; the *installed* one decides the arguments.
    package var vllmVersion: String?
    package var useRunaiStreamer: Bool
    /// Threads of the streamer.
    package var streamerConcurrency: Int
    /// Bytes of host staging buffer: -1 unlimited, 0 one tensor, else a cap.
    package var streamerMemoryLimit: Int64
    /// Those of the two that somebody has decided; the others may be tuned to the machine.
    package var givenStreamerSettings: Set<StreamerSetting>
    /// What was asked for, where another try is made with other settings; nil where that is what holds.
    package var replacedSettings: StreamerSettings?
    /// Fraction of the GPU's memory, 0 < x <= 1.
    package var gpuMemoryUtilization: Double
    package var dtype: String
    package var tensorParallelSize: Int
    /// Tokens; nil leaves it to the model's own configuration.
    package var maxModelLength: Int?
    package var extraArguments: [String]
    package var store: ObjectStore
    /// Where events go; nil means the control plane's own endpoint.
    package var callbackURL: String?
    package var callbackSecret: Secret?

    package init(generation: Int64, model: String, modelURI: String, store: ObjectStore) {
        self.generation = generation
        self.model = model
        self.modelURI = modelURI
        self.store = store
        gpuCount = 1
        useSpot = true
        useRunaiStreamer = true
        streamerConcurrency = 32
        streamerMemoryLimit = 5_368_709_120
        givenStreamerSettings = []
        gpuMemoryUtilization = 0.95
        dtype = "bfloat16"
        tensorParallelSize = 1
        extraArguments = []
    }
}

extension Assignment {
    /// Whether an engine that runs for this one does for the other too: what opens the store is new, and nothing else
    /// but where events go. The same again is none of that: it is how an engine is started anew.
    package func brings(newCredentialsFor other: Assignment) -> Bool {
        guard store != other.store else { return false }
        var same = other
        same.generation = generation
        same.store.accessKeyID = store.accessKeyID
        same.store.secretAccessKey = store.secretAccessKey
        same.store.sessionToken = store.sessionToken
        same.store.expiresAt = store.expiresAt
        same.callbackURL = callbackURL
        same.callbackSecret = callbackSecret
        return same == self
    }
}

extension Assignment {
    package var streamerSettings: StreamerSettings {
        get {
            StreamerSettings(
                concurrency: streamerConcurrency, memoryLimit: streamerMemoryLimit, given: givenStreamerSettings)
        }
        set {
            (streamerConcurrency, streamerMemoryLimit) = (newValue.concurrency, newValue.memoryLimit)
            givenStreamerSettings = newValue.given
        }
    }

    /// As the control plane has it, whatever settings it is tried with.
    package var asReceived: Assignment {
        guard let replacedSettings else { return self }
        var received = self
        received.streamerSettings = replacedSettings
        received.replacedSettings = nil
        return received
    }

    /// With the settings that another one, which asks for the same, has come to be tried with.
    func tried(like other: Assignment) -> Assignment {
        var tried = self
        tried.streamerSettings = other.streamerSettings
        tried.replacedSettings = other.replacedSettings
        return tried
    }
}

package struct StreamerSettings: Equatable, Sendable {
    package var concurrency: Int
    package var memoryLimit: Int64
    /// See `Assignment.givenStreamerSettings`.
    package var given: Set<StreamerSetting>
}

/// The raw value is the field's name.
package enum StreamerSetting: String, CaseIterable, Sendable {
    case concurrency = "streamer_concurrency"
    case memoryLimit = "streamer_memory_limit"
}

/// The S3-compatible store (Cloudflare R2) and the credentials that open it.
package struct ObjectStore: Equatable, Sendable {
    /// `https://<account>.r2.cloudflarestorage.com`, without a bucket in it.
    package var endpoint: String
    package var bucket: String
    package var accessKeyID: Secret
    package var secretAccessKey: Secret
    package var sessionToken: Secret?
    /// RFC 3339, as the control plane sent it.
    package var expiresAt: String?
    package var cdnDomain: String?

    package init(endpoint: String, bucket: String, accessKeyID: Secret, secretAccessKey: Secret) {
        self.endpoint = endpoint
        self.bucket = bucket
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
    }
}
