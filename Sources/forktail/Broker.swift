import ArgumentParser
import KafkaDevBroker
import Logging
import Shipping

struct Broker: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A one-node Kafka in memory, for trying and testing.",
        discussion: """
            Prints BOOTSTRAP HOST:PORT when it is ready. Topics are made when first mentioned; all is
            forgotten when it ends.

            Examples:
              forktail broker --port 9092 --partitions 4
              forktail broker --tls-cert cert.pem --tls-key key.pem --sasl-user alice:secret
            """
    )

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "Port; 0 takes a free one.")
    var port = 9092

    @Option(help: "Partitions of a topic that is made when first mentioned.")
    var partitions = 1

    @OptionGroup var security: BrokerSecurityOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("port must be 0 to 65535") }
        guard (1...10_000).contains(partitions) else {
            throw ValidationError("partitions must be 1 to 10000")
        }
    }

    func run() throws {
        try ending {
            let signals = try Signals()
            var configuration = DevBroker.Configuration(
                host: host,
                port: port,
                defaultPartitions: partitions
            )
            configuration.tls = security.tls
            configuration.sasl = security.sasl
            let broker = BrokerProcess(configuration)
            let bound = try broker.start()
            try writeToStandardOutput("BOOTSTRAP \(host):\(bound)\n")
            waitForEnd(signals)
            broker.stop()
            return .success
        }
    }

    /// Waits until somebody ends it, or closes its terminal.
    private func waitForEnd(_ signals: borrowing Signals) {
        while true {
            switch signals.wait(for: nil) {
            case .stop, .hangUp: return
            case .report, nil: break
            }
        }
    }
}
