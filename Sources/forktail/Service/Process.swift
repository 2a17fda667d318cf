import Glibc
import KafkaDevBroker
import NIOCore
import Shipping

/// The value of an environment variable.
func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}

/// `/var/lib/forktail` for root, a folder in the user's home otherwise.
func defaultStateDirectory() -> String {
    if geteuid() == 0 { return "/var/lib/forktail" }
    return (environment("HOME") ?? ".") + "/.local/state/forktail"
}

/// The embedded broker, started and stopped from a thread that does not await.
struct BrokerProcess {
    private let broker: DevBroker
    private let address: String

    init(_ configuration: DevBroker.Configuration) {
        address = "\(configuration.host):\(configuration.port)"
        broker = DevBroker(configuration: configuration)
    }

    /// - Throws: `ServiceError` when the port cannot be had.
    func start() throws -> Int {
        do {
            return try waiting { [broker] in try await broker.start() }
        } catch {
            let reason = (error as? IOError).map { systemErrorText($0.errnoCode) } ?? "\(error)"
            throw ServiceError(.unavailable, "cannot listen on \(address): \(reason)")
        }
    }

    func stop() {
        try? waiting { [broker] in await broker.stop() }
    }
}
