// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "producer",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "forktail", path: "../..")],
    targets: [
        .executableTarget(
            name: "first-program",
            dependencies: [.product(name: "Kafka", package: "forktail")]
        ),
        .executableTarget(
            name: "transactions",
            dependencies: [.product(name: "Kafka", package: "forktail")]
        ),
    ]
)
