public import ArgumentParser
public import Logging
import PipelineLanguage
import Shipping

/// What every command takes.
struct CommonOptions: ParsableArguments {
    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level?

    @Option(help: "text or json; without it text on a terminal, JSON elsewhere.")
    var logFormat: LogLine.Format?

    @Option(help: "auto, always or never; auto without it.")
    var color: ColorChoice?

    @Flag(name: .shortAndLong, help: "Only warnings and errors.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Also debug messages.")
    var verbose = false

    func makeLogger(_ deployment: Deployment, fallback: Logger.Level = .info) -> Logger {
        let fallback: Logger.Level = quiet ? .warning : verbose ? .debug : fallback
        let level =
            deployment.text(of: .logLevel).flatMap { Logger.Level(rawValue: $0) } ?? fallback
        let format = deployment.text(of: .logFormat).flatMap { LogLine.Format(rawValue: $0) }
        var logger = Logger(label: "forktail") { _ in
            StructuredLogHandler(level: level, format: format)
        }
        logger.logLevel = level
        return logger
    }

    func isColored(_ deployment: Deployment) -> Bool {
        (deployment.text(of: .color).flatMap { ColorChoice(rawValue: $0) } ?? .auto).isOn
    }
}

/// Which `forktail.conf` holds, and what of it.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The file of settings; also FORKTAIL_CONFIG. Without it ./forktail.conf or"
                + " /etc/forktail/forktail.conf, if it is there.",
            valueName: "file"
        )
    )
    var config: String?

    @Option(help: "A profile of it; also FORKTAIL_PROFILE.")
    var profile: String?

    /// - Parameter options: all that set something which can stand in the file as well.
    /// - Throws: `ServiceError` with all that is wrong with the file.
    func deployment(_ options: any SettingOptions...) throws -> Deployment {
        var flags = Configuration.Flags()
        for options in options {
            for (setting, text) in options.settings { flags.settings[setting] = text }
        }
        return try Deployment(file: config, profile: profile, flags: flags)
    }
}

/// Options that set what can stand in `forktail.conf` as well.
protocol SettingOptions {
    var settings: [Setting: String] { get }
}

extension CommonOptions: SettingOptions {
    var settings: [Setting: String] {
        var settings: [Setting: String] = [:]
        settings[.logLevel] = logLevel?.rawValue
        settings[.logFormat] = logFormat?.rawValue
        settings[.color] = color?.rawValue
        return settings
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

    @Option(
        help: "Which `kafka` block of forktail.conf to use; main without it, or the only one."
    )
    var cluster: String?

    func producer(
        _ deployment: Deployment,
        allowsTransactions: Bool = false
    ) throws -> ProducerSettings {
        try ProducerSettings(
            deployment: deployment,
            bootstrapServers: bootstrapServer,
            properties: properties,
            allowsTransactions: allowsTransactions,
            environment: environment
        )
    }
}

extension KafkaOptions {
    /// The clusters that pipelines send to: the command line's, and others that they name.
    func routes(
        of pipelines: [LoadedPipeline],
        _ deployment: Deployment,
        stateDirectory: String,
        allowsTransactions: Bool = false
    ) throws -> [Route] {
        try Route.routes(
            of: pipelines,
            in: deployment,
            stateDirectory: stateDirectory,
            allowsTransactions: allowsTransactions,
            environment: { environment($0) }
        ) {
            try producer(deployment, allowsTransactions: allowsTransactions)
        }
    }
}

extension KafkaOptions: SettingOptions {
    var settings: [Setting: String] { cluster.map { [.cluster: $0] } ?? [:] }
}

/// What is promised across a crash, and what that may cost.
struct DeliveryArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "exactly_once: nothing is lost or repeated across a crash. transactional: the same for"
                + " consumers that read committed. at_least_once: what was on its way is sent again."
                + " exactly_once without it.",
            valueName: "mode"
        )
    )
    var delivery: DeliveryMode?

    @Option(
        help: ArgumentHelp(
            "What the journal keeps of batches on their way: positions, or bytes for files that are"
                + " truncated or deleted under way. positions without it.",
            valueName: "content"
        )
    )
    var journal: JournalContent?

    @Option(
        help: ArgumentHelp(
            "full (without it) outlives a power cut, normal the death of the process.",
            valueName: "level"
        )
    )
    var synchronous: JournalDurability?

    @Flag(
        inversion: .prefixedNo,
        help: "Say in the header forktail.position where records are from (done without it)."
    )
    var positionHeaders: Bool?

    @Option(
        help: ArgumentHelp(
            "How long records of --delivery transactional wait for the end of their transaction;"
                + " 500ms without it.",
            valueName: "time"
        )
    )
    var transactionInterval: TimeInterval?
}

extension DeliveryArguments: SettingOptions {
    var settings: [Setting: String] {
        var settings: [Setting: String] = [:]
        settings[.delivery] = delivery?.rawValue
        settings[.journal] = journal?.rawValue
        settings[.synchronous] = synchronous?.rawValue
        settings[.positionHeaders] = positionHeaders.map { "\($0)" }
        settings[.transactionInterval] = transactionInterval?.text
        return settings
    }
}

extension DeliveryOptions {
    /// What all layers say together.
    init(_ deployment: Deployment) {
        self.init()
        if let mode = deployment.text(of: .delivery).flatMap({ DeliveryMode(rawValue: $0) }) {
            self.mode = mode
        }
        if let journal = deployment.text(of: .journal).flatMap({ JournalContent(rawValue: $0) }) {
            self.journal = journal
        }
        if let level = deployment.text(of: .synchronous).flatMap({ JournalDurability(rawValue: $0) }
        ) {
            durability = level
        }
        if let marks = deployment.text(of: .positionHeaders).flatMap({ Bool($0) }) {
            marksPositions = marks
        }
        let interval = deployment.text(of: .transactionInterval)
        if let interval = interval.flatMap({ TimeInterval(argument: $0) }) {
            transactionInterval = interval.duration
        }
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
}

extension StateOptions: SettingOptions {
    var settings: [Setting: String] { stateDir.map { [.stateDirectory: $0] } ?? [:] }
}

extension Deployment {
    /// Where checkpoints live.
    var stateDirectory: String { text(of: .stateDirectory) ?? defaultStateDirectory() }
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
