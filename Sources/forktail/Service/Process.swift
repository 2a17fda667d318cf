import Glibc
import KafkaDevBroker
import NIOCore
import Shipping
import Synchronization

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
    private let failure = Failure()

    private final class Failure: Sendable {
        let reason = Mutex<String?>(nil)
    }

    init(_ configuration: DevBroker.Configuration) {
        address = "\(configuration.host):\(configuration.port)"
        broker = DevBroker(configuration: configuration)
    }

    /// Returns the ports of all brokers.
    ///
    /// - Throws: `ServiceError` when a port cannot be had.
    func start() throws -> [Int] {
        do {
            return try waiting { [broker, failure] in
                try await broker.onFailure { error in
                    failure.reason.withLock { $0 = "\(error)" }
                    // The main thread waits for a signal.
                    kill(getpid(), SIGTERM)
                }
                return try await broker.listen()
            }
        } catch {
            if error is JournalError { throw ServiceError(.unavailable, "\(error)") }
            let reason = (error as? IOError).map { systemErrorText($0.errnoCode) } ?? "\(error)"
            throw ServiceError(.unavailable, "cannot listen on \(address): \(reason)")
        }
    }

    /// Lets go wrong what standard input says, on a thread that ends with the input.
    func takeCommands() throws {
        let broker = broker
        try startThread(name: "commands") {
            while let line = readLine() {
                // Nobody is left to be answered when the output is closed.
                try? writeToStandardOutput(Self.perform(line, on: broker) + "\n")
            }
        }
    }

    private static func perform(_ line: String, on broker: DevBroker) -> String {
        guard let fault = Fault(command: line) else { return "ERROR no command: \(line)" }
        do {
            try waiting { try await broker.inject(fault) }
            return "OK"
        } catch {
            return "ERROR \(error)"
        }
    }

    /// - Throws: `ServiceError` when the broker had to stop by itself.
    func stop() throws {
        try? waiting { [broker] in await broker.stop() }
        if let reason = failure.reason.withLock({ $0 }) {
            throw ServiceError(.unavailable, reason)
        }
    }
}
