// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func system(_ name: String, pkgConfig: String, package: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let metricsTestKit: Target.Dependency = .product(name: "MetricsTestKit", package: "swift-metrics")
let lifecycle: Target.Dependency = .product(
    name: "ServiceLifecycle",
    package: "swift-service-lifecycle"
)
let arguments: Target.Dependency = .product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)

let package = Package(
    name: "forktail",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "forktail", targets: ["forktail"]),
        .library(name: "Kafka", targets: ["Kafka"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Leaf first: a target may only import what stands above it.
        .target(name: "CPlatform"),
        system("CSQLite", pkgConfig: "sqlite3", package: "libsqlite3-dev"),
        system("CLZ4", pkgConfig: "liblz4", package: "liblz4-dev"),
        system("CZstd", pkgConfig: "libzstd", package: "libzstd-dev"),
        system("CZlib", pkgConfig: "zlib", package: "zlib1g-dev"),
        system("CPCRE2", pkgConfig: "libpcre2-8", package: "libpcre2-dev"),
        library("KafkaProtocol", ["CPlatform", "CLZ4", "CZstd", "CZlib", crypto, nioCore]),
        library("KafkaDevBroker", ["KafkaProtocol", crypto, nioCore, nioPosix, nioSSL, logging]),
        library(
            "Kafka",
            [
                "KafkaProtocol", crypto, nioCore, nioPosix, nioHTTP, nioTLS, nioSSL, logging,
                lifecycle, coreMetrics,
            ]
        ),
        library("Checkpointing", ["CSQLite", "CPlatform"]),
        library("FileTailing", ["CPlatform", "CZlib", "CZstd"]),
        library("PipelineLanguage"),
        library("RecordProcessing", ["PipelineLanguage", "CPCRE2", "CPlatform", crypto]),
        library("PipelineTools", ["PipelineLanguage", "RecordProcessing"]),
        library(
            "Shipping",
            [
                "Kafka", "KafkaProtocol", "Checkpointing", "FileTailing", "PipelineLanguage",
                "RecordProcessing", "PipelineTools", logging,
            ]
        ),
        .executableTarget(
            name: "forktail",
            dependencies: [
                "Shipping", "PipelineTools", "Kafka", "KafkaDevBroker", "PipelineLanguage",
                arguments,
                logging, nioCore,
            ],
            swiftSettings: settings
        ),
        tests("KafkaProtocolTests", ["KafkaProtocol"]),
        tests("KafkaDevBrokerTests", ["KafkaDevBroker"]),
        tests(
            "KafkaTests",
            [
                "Kafka", "KafkaDevBroker", "KafkaProtocol", crypto, logging, coreMetrics,
                metricsTestKit,
            ]
        ),
        tests("CheckpointingTests", ["Checkpointing"]),
        tests("FileTailingTests", ["FileTailing", "CZlib", "CZstd"]),
        tests("PipelineLanguageTests", ["PipelineLanguage"]),
        tests("RecordProcessingTests", ["RecordProcessing", "PipelineLanguage", "CPlatform"]),
        tests("PipelineToolsTests", ["PipelineTools", "PipelineLanguage", "RecordProcessing"]),
        tests(
            "ShippingTests",
            [
                "Shipping", "Checkpointing", "Kafka", "KafkaProtocol", "PipelineLanguage", logging,
                nioCore,
            ]
        ),
        tests(
            "SimulationTests",
            [
                "Shipping", "FileTailing", "Checkpointing", "Kafka", "KafkaDevBroker",
                "KafkaProtocol", "PipelineLanguage", "RecordProcessing", logging, nioCore,
            ]
        ),
    ]
)
