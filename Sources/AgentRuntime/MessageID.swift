internal import AgentCore

/// What the journal knows each message by: 128 bits that mean the same in every release (sd-id128(3)).
/// `systemd/crosslogic-node-agent.catalog` explains each; a test sees to it that none is left out.
enum MessageID {
    static func of(_ message: OperatorMessage) -> String {
        switch message {
        case .waitingForAssignment: "2f3a17acd404e4d33bfd9c6f0cd04a9b"
        case .assignmentAccepted: "bc8462f6448b89f68d83ba86f124d9d1"
        case .assignmentRejected: "56bf2bd68ebe8a4df55ebbf150a62b45"
        case .successorReceived: "4e0f8c3b97a1426db5d26c08f7a39e14"
        case .successorRefused: "95d2b6e1f04c4a8387ce10d9a5b7f326"
        case .preflightDone: "67760a1935544849be86373661a38ff9"
        case .downloadBegan: "5d0f3a6cb7be4c4fa5f0e3b8a4d1c927"
        case .cachesJudged: "c1f3e0a95b6a4d2f8e7714d6029bb35a"
        case .staleAssignment: "bb92683112bf39a05b78e0ac717dd11c"
        case .controlPlaneLost: "fdd242383c42d2cc2664f09d3a2b8d3a"
        case .controlPlaneFound: "e49214e2ce85e477aa5cd263040712bb"
        case .partitioned: "c1b7d0a96e3f4c52a8e94d7f60b3521e"
        case .revoked: "1c9fe0f361582da889765d1b4e5884cf"
        case .engineStarted: "9943c8755833da4411b1eedb5348ca08"
        case .engineAdopted: "c6be76fe621ef67b523ddaba0fd514b2"
        case .phase: "36dea12c74407c87fe6aa8436323f769"
        case .canaryFailed: "7e18d11a355fcfdddaa12bf8f2819aaa"
        case .ready: "e29dda7e04e3f0df782e41df70336c4c"
        case .retrying: "b80085a6cec502eacb496790e9b372f5"
        case .stopping: "c76b710bbce4939c7bdd42ad121052a6"
        case .engineKilled: "2dcabca9453851164712922726440fc4"
        case .engineSilent: "7546584d9fe042e5ab4eb6c7ed3fcff2"
        case .engineGone: "883019d32c6b950e3942ed71c40d146d"
        case .undelivered: "126e78b17a654bca7a172bfc7d804ce0"
        case .notice: "f27c2dbf61fe468e89dc7695963a89ce"
        case .advice: "ccd9574b4ac8493b8288628e91172f64"
        case .spared: "ce0e5c9202474946b91bbf40f6da72ad"
        case .preempted: "21d664d8945440d0844442199a881620"
        case .noticeSource: "701cd13f209f4bffa432669a6ee6f350"
        case .unexpected: "26f93eb39b7838e05c0b809e1f4924a3"
        case .failed(let report, _): of(report.failure)
        }
    }

    static func of(_ refusal: StartRefusal) -> String {
        switch refusal {
        case .badSettings: "6f0c5d83a1be4f5e9a27d46c8b1e3072"
        case .anotherAgent: "b3d97e2405c84d1fa6510f8e7c2294ab"
        }
    }

    /// One for each class, so that `journalctl -x` tells the remedy.
    static func of(_ failure: FailureClass) -> String {
        switch failure {
        case .credentialsMissing: "8826ac4b2903c0014d3c8ba1f5073f99"
        case .credentialsRejected: "48d7a61b6fe666530559ef33537aafdb"
        case .clockSkewed: "56fc74b7cc384894bd48befa0a2936f0"
        case .bucketMissing: "a1fbc1fee9939f43a2161522b4d99bba"
        case .modelMissing: "04cd722b1ee8363d579dd24cd8f82700"
        case .endpointUnreachable: "4019554a1af4309b07bcf463f5c01b73"
        case .endpointStalled: "ff0c66052d4b3343911c906e176066e6"
        case .weightsUnreadable: "e43e43726d32ca6c808f93d3296037cc"
        case .weightsFormat: "98ebaea175a3c4bfc60dc6d754544c7f"
        case .weightsIncomplete: "6494f264b03910bb4a749c3ef31a7c4c"
        case .streamerMissing: "59f92eb749957540220e6ec2715d60d9"
        case .badFlag: "0ace25b7682415276290bb49791cb1ea"
        case .badLoaderConfig: "d5235b1723c3e0698d48a64046ca7b95"
        case .badModelConfig: "db2ab1ecb3684f8286b8eb81ca45866d"
        case .memoryLimitTooSmall: "b84cc63dab7074dd49ef60b7a41b7789"
        case .hostOutOfMemory: "d7ef938d3ab2c7f7f23dd4fceabdaa88"
        case .gpuOutOfMemory: "e788b7c2a34e293699dc8e62b7b3f07a"
        case .gpuBusy: "a6f1567f4a34264c4b6e23ec4f22b487"
        case .kvCacheTooSmall: "1b6d716bd7767f2f6e7412cf8c7de168"
        case .driver: "bd1bdf33651c0f93c22b53fda865e4f1"
        case .nccl: "50f95c0a15ef258936b0f68417d3b41b"
        case .portInUse: "cfcc4aabe84d9b1e5be84465ab630a6d"
        case .engineMissing: "b579461d25b951080f5fe0ad56a5e891"
        case .toolchainMissing: "3b0a498520ec205502ae91e4c50ce91a"
        case .engineDied: "7f4fdbdd7e075261ada951229737bb1d"
        case .engineUnkillable: "49e67cb73a859de474a60762291ed4b5"
        case .engineLog: "56a70a7aa315d2e42f6654c6b8a0b5c2"
        case .localStorage: "63f7e937efa9c92f8a86381d19ad9bde"
        case .stalled: "6c9a18b67af7db40ffadfe44bbb4811c"
        case .canaryFailed: "e8e998cbaf74abc6aeb313a8b932d31e"
        case .unknown: "d9741359d6f82b645a76873a463350e3"
        }
    }
}
