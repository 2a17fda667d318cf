public import ArgumentParser
public import Logging
import Shipping

/// What every command takes.
struct CommonOptions: ParsableArguments {
    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level?

    @Option(help: "text or json; without it text on a terminal, JSON elsewhere.")
    var logFormat: LogLine.Format?

    @Option(help: "auto, always or never.")
    var color: ColorChoice = .auto

    @Flag(name: .shortAndLong, help: "Only warnings and errors.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Also debug messages.")
    var verbose = false

    func makeLogger(fallback: Logger.Level = .info) -> Logger {
        let fallback: Logger.Level = quiet ? .warning : verbose ? .debug : fallback
        let level =
            logLevel ?? environment("FORKTAIL_LOG_LEVEL").flatMap { Logger.Level(rawValue: $0) }
            ?? fallback
        let format =
            logFormat ?? environment("FORKTAIL_LOG_FORMAT").flatMap { LogLine.Format(rawValue: $0) }
        var logger = Logger(label: "forktail") { _ in
            StructuredLogHandler(level: level, format: format)
        }
        logger.logLevel = level
        return logger
    }
}

/// How a command reaches Kafka.
struct KafkaOptions: ParsableArguments {
    @Option(
        name: [.customShort("b"), .long],
        help: "Brokers to start from, HOST:PORT[,HOST:PORT…]."
    )
    var bootstrapServer: String?

    @Option(
        name: [.customShort("X"), .customLong("property")],
        help: ArgumentHelp(
            "Any producer property, as -X linger.ms=20. A password is given as"
                + " -X 'sasl.password=secret.file(\"/run/secrets/kafka\")' or secret.env(\"NAME\").",
            valueName: "property=value"
        )
    )
    var properties: [String] = []

    func settings(allowsTransactions: Bool = false) throws -> ProducerSettings {
        try ProducerSettings(
            bootstrapServers: bootstrapServer,
            properties: properties,
            allowsTransactions: allowsTransactions,
            environment: environment
        )
    }
}

/// What is promised across a crash, and what that may cost.
struct DeliveryArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "exactly_once: nothing is lost or repeated across a crash. transactional: the same for"
                + " consumers that read committed. at_least_once: what was on its way is sent again.",
            valueName: "mode"
        )
    )
    var delivery: DeliveryMode = .exactlyOnce

    @Option(
        help: ArgumentHelp(
            "What the journal keeps of batches on their way: positions, or bytes for files that are"
                + " truncated or deleted under way.",
            valueName: "content"
        )
    )
    var journal: JournalContent = .positions

    @Option(
        help: ArgumentHelp(
            "full outlives a power cut, normal the death of the process.",
            valueName: "level"
        )
    )
    var synchronous: JournalDurability = .full

    @Flag(
        inversion: .prefixedNo,
        help: "Say in the header forktail.position where records are from."
    )
    var positionHeaders = true

    @Option(
        help: ArgumentHelp(
            "How long records of --delivery transactional wait for the end of their transaction.",
            valueName: "time"
        )
    )
    var transactionInterval: TimeInterval = TimeInterval(.milliseconds(500))

    var options: DeliveryOptions {
        DeliveryOptions(
            mode: delivery,
            journal: journal,
            durability: synchronous,
            marksPositions: positionHeaders,
            transactionInterval: transactionInterval.duration
        )
    }
}

extension DeliveryMode: ExpressibleByArgument {}
extension JournalContent: ExpressibleByArgument {}
extension JournalDurability: ExpressibleByArgument {}

/// Where checkpoints live.
struct StateOptions: ParsableArguments {
    @Option(help: "Folder for checkpoints; also FORKTAIL_STATE_DIR.")
    var stateDir: String?

    func validate() throws {
        if stateDir == "" { throw ValidationError("--state-dir needs a folder") }
    }

    var directory: String {
        // An empty variable is one that nobody meant to set, and would stand for `/`.
        let variable = environment("FORKTAIL_STATE_DIR").flatMap { $0.isEmpty ? nil : $0 }
        return stateDir ?? variable ?? defaultStateDirectory()
    }
}

enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, always, never

    var isOn: Bool {
        switch self {
        case .always: true
        case .never: false
        case .auto: environment("NO_COLOR") == nil && Terminal.standardErrorIsCapable
        }
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
extension LogLine.Format: ExpressibleByArgument {}

/// Runs a command's body and ends the process with the exit code of what went wrong.
func ending(_ body: () throws -> ExitStatus) throws {
    do {
        let status = try body()
        if status != .success { throw ExitCode(status.rawValue) }
    } catch let error as ServiceError {
        writeToStandardError("forktail: \(error.description)\n")
        throw ExitCode(error.exitCode.rawValue)
    }
}
