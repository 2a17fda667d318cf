// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "forktail", path: ".."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .executableTarget(name: "discard"),
        .executableTarget(
            name: "produce",
            dependencies: [
                .product(name: "Kafka", package: "forktail"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .executableTarget(
            name: "produce-rdkafka",
            linkerSettings: [.linkedLibrary("rdkafka")]
        ),
    ]
)
