// swift-tools-version: 6.2
import PackageDescription

// Arrows point at AgentCore. AgentSystem and AgentWire never know each other; only the composition root sees both.
// `scripts/check` builds with `--explicit-target-dependency-import-check error`, which makes this file the law.
let package = Package(
    name: "crosslogic-node-agent",
    products: [
        .executable(name: "crosslogic-node-agent", targets: ["crosslogic-node-agent"]),
        .executable(name: "crosslogic-control-plane", targets: ["crosslogic-control-plane"]),
        .executable(name: "simulated-vllm", targets: ["simulated-vllm"]),
        .executable(name: "log-bench", targets: ["log-bench"]),
        .executable(name: "fleet-simulator", targets: ["fleet-simulator"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C shims: what Swift cannot see. No logic. (CLinux, because swift-system already has a CSystem.)
        .target(name: "CLinux"),
        .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "CSystemd", linkerSettings: [.linkedLibrary("systemd")]),
        .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("crypto")]),
        .target(name: "CTLS", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),

        // A mutex the thread sanitizer understands too, and a queue of its own for an actor that waits for disks.
        .target(name: "Locking"),

        // The agent.
        .target(name: "AgentCore"),
        .target(name: "AgentWire", dependencies: ["AgentCore"]),
        .target(
            name: "AgentSystem",
            dependencies: [
                "AgentCore", "Locking", "CLinux", "CCurl", "CSystemd", "COpenSSL", "CTLS",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .target(name: "AgentRuntime", dependencies: ["AgentCore", "AgentWire", "Locking"]),
        .executableTarget(
            name: "crosslogic-node-agent",
            dependencies: [
                "AgentCore", "AgentWire", "AgentSystem", "AgentRuntime",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        // The reference control plane.
        .target(
            name: "ControlPlane",
            dependencies: [
                "AgentCore", "AgentWire", "COpenSSL", "Locking",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            exclude: ["openapi.yaml"]),
        .executableTarget(
            name: "crosslogic-control-plane",
            dependencies: [
                "ControlPlane",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]),

        // Tests. The kit is never shipped.
        .target(name: "AgentTestKit", dependencies: ["AgentCore", "Locking"], path: "Tests/AgentTestKit"),
        .executableTarget(
            name: "simulated-vllm", path: "Tests/SimulatedVLLM", exclude: ["Transcripts", "record-transcript"]),
        .executableTarget(name: "log-bench", dependencies: ["AgentCore", "AgentSystem"], path: "Tests/LogBench"),
        .executableTarget(
            name: "fleet-simulator",
            dependencies: [
                "AgentCore", "AgentWire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/FleetSimulator"),
        .testTarget(
            name: "AgentCoreTests", dependencies: ["AgentCore", "AgentTestKit"], exclude: ["Lifecycle/transitions.txt"],
            resources: [.copy("Fixtures")]),
        // With AgentSystem for the real SHA-256: published signatures prove nothing about a stand-in.
        .testTarget(
            name: "AgentWireTests", dependencies: ["AgentCore", "AgentWire", "AgentSystem", "AgentTestKit"]),
        .testTarget(
            name: "AgentSystemTests", dependencies: ["Locking", "AgentCore", "AgentSystem", "AgentTestKit", "CLinux"]),
        .testTarget(
            name: "AgentRuntimeTests",
            dependencies: ["Locking", "AgentCore", "AgentWire", "AgentRuntime", "AgentTestKit"]),
        .testTarget(
            name: "ControlPlaneTests",
            dependencies: [
                "ControlPlane", "AgentCore", "AgentWire",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
    ]
)

// The thread sanitizer's run leaves the control plane and what it stands on out: half the build.
if Context.environment["CROSSLOGIC_AGENT_ONLY"] != nil {
    let leftOut: Set = ["ControlPlane", "ControlPlaneTests", "crosslogic-control-plane"]
    package.targets.removeAll { leftOut.contains($0.name) }
    package.products.removeAll { leftOut.contains($0.name) }
    package.dependencies.removeAll { dependency in
        guard case .sourceControl(_, let location, _) = dependency.kind else { return false }
        return ["hummingbird", "GRDB.swift", "swift-log", "swift-http-types", "swift-service-lifecycle"]
            .contains { location.hasSuffix("/\($0)") }
    }
}

/// Settings of every Swift target of ours.
let shared: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

for target in package.targets where !target.name.hasPrefix("C") || target.name == "ControlPlane" {
    target.swiftSettings = (target.swiftSettings ?? []) + shared
}
