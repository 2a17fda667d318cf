import ArgumentParser
import KafkaDevBroker
import Logging
import Shipping

struct Broker: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A Kafka in memory, for trying and testing.",
        discussion: """
            Prints BOOTSTRAP HOST:PORT,HOST:PORT when it is ready. Topics are made when first \
            mentioned; all is forgotten when it ends, unless it is kept in --data-dir.

            What is acknowledged is then there after a kill -9. A power cut may take what was written \
            since the start: the disk is waited for only when the broker starts and when it ends.

            With --commands each line of standard input makes something go wrong, and is answered \
            with OK or with ERROR and what is wrong:

            \(Fault.commands.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))

            Examples:
              forktail broker --port 9092 --partitions 4
              forktail broker --tls-cert cert.pem --tls-key key.pem --sasl-user alice:secret
              forktail broker --deny 'write topic orders' --deny 'read topic payments alice'
              forktail broker --brokers 3 --commands
            """
    )

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "Port, the other brokers have the next ones; 0 takes free ones.")
    var port = 9092

    @Option(help: "Brokers of the cluster, each with a port of its own.")
    var brokers = 1

    @Option(help: "Folder to keep topics, records, producers and transactions in.")
    var dataDir: String?

    @Flag(help: "Take commands from standard input.")
    var commands = false

    @Option(help: "What the cluster calls itself: no two do so alike.")
    var clusterID = "forktail-dev-broker"

    @Option(help: "Partitions of a topic that is made when first mentioned.")
    var partitions = 1

    @OptionGroup var security: BrokerSecurityOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("port must be 0 to 65535") }
        guard (1...100).contains(brokers) else { throw ValidationError("brokers must be 1 to 100") }
        guard port + brokers <= 65536 else {
            throw ValidationError("there are no \(brokers) ports from \(port) on")
        }
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
                defaultPartitions: partitions,
                nodes: brokers,
                dataDirectory: dataDir
            )
            configuration.clusterID = clusterID
            configuration.tls = security.tls
            configuration.sasl = security.sasl
            configuration.denials = security.deny
            let broker = BrokerProcess(configuration)
            let addresses = try broker.start().map { "\(host):\($0)" }
            try writeToStandardOutput("BOOTSTRAP \(addresses.joined(separator: ","))\n")
            if commands { try broker.takeCommands() }
            waitForEnd(signals)
            try broker.stop()
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
