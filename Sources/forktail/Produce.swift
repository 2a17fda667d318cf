import ArgumentParser
import Kafka
import Logging
import Shipping

struct Produce: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send lines as records, as kafka-console-producer does.",
        discussion: """
            Each line of standard input, or of the files, becomes a record of one topic. It ends when
            all is acknowledged; with input that has no line it tells whether the topic can be had.

            Examples:
              echo hello | forktail produce -t greetings -b broker1:9092 -v
              forktail produce -t orders -b broker1:9092 --parse-key --key-separator : orders.txt
              printf 'trace:t-77\\t42\\tpaid\\n' | forktail produce -t orders -b broker1:9092 --parse-headers --parse-key
            """
    )

    @Argument(help: "Files to read, in this order; - or nothing reads standard input.")
    var files: [String] = []

    @Option(name: .shortAndLong, help: "The topic.")
    var topic: String

    @OptionGroup var kafka: KafkaOptions
    @OptionGroup var lines: LineOptions
    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var common: CommonOptions

    @Option(help: "The partition of all records; without it the key decides.")
    var partition: Int32?

    @Option(help: "The timestamp of all records, in milliseconds since 1970.")
    var timestamp: Int64?

    @Option(help: "How long to wait for Kafka without an answer, as 30s.")
    var timeout: TimeInterval = TimeInterval(.seconds(30))

    func validate() throws {
        if topic.isEmpty { throw ValidationError("--topic needs a name") }
        if let partition, partition < 0 { throw ValidationError("--partition counts from 0") }
        if let timestamp, timestamp < 0 {
            throw ValidationError("--timestamp is in milliseconds since 1970")
        }
        if timeout.duration == .zero { throw ValidationError("--timeout must be over 0") }
        for property in kafka.properties {
            let name = String(property.prefix { $0 != "=" })
            guard let option = Self.readerProperties[name] else { continue }
            throw ValidationError("\(name) is no property of the producer: use \(option)")
        }
    }

    /// What kafka-console-producer takes as properties of its line reader.
    private static let readerProperties = [
        "parse.key": "--parse-key", "key.separator": "--key-separator",
        "parse.headers": "--parse-headers", "headers.delimiter": "--headers-delimiter",
        "headers.separator": "--headers-separator",
        "headers.key.separator": "--header-key-separator", "null.marker": "--null-marker",
        "ignore.error": "--ignore-error",
    ]

    func run() throws {
        try ending {
            let signals = try Signals()
            let deployment = try configuration.deployment(kafka, common)
            let service = try ProduceService(
                settings: kafka.producer(deployment),
                options: .init(
                    topic: topic,
                    partition: partition,
                    timestamp: timestamp,
                    format: lines.format,
                    files: files,
                    timeout: timeout.duration,
                    showsReceipts: common.verbose,
                    isQuiet: common.quiet
                ),
                // A check of a set-up is about records: of the connections only trouble is told.
                logger: common.makeLogger(deployment, fallback: .warning)
            )
            return try service.run(signals: signals)
        }
    }
}

/// What the parts of a line are.
struct LineOptions: ParsableArguments {
    @Flag(help: "A line begins with a key.")
    var parseKey = false

    @Option(help: "What ends the key. (default: a tab)")
    var keySeparator: String?

    @Flag(
        name: [.long, .customLong("headers")],
        help: "A line begins with headers, as name:value,name:value."
    )
    var parseHeaders = false

    @Option(help: "What ends the headers. (default: a tab)")
    var headersDelimiter: String?

    @Option(help: "What stands between headers.")
    var headersSeparator = ","

    @Option(help: "What stands between a header's name and its value.")
    var headerKeySeparator = ":"

    @Option(
        name: [.customShort("H"), .customLong("header")],
        help: ArgumentHelp("A header of every record.", valueName: "name=value")
    )
    var header: [String] = []

    @Option(help: "A key, value or header's value of just this is null.")
    var nullMarker: String?

    @Flag(help: "A line without its separators is a value as it stands.")
    var ignoreError = false

    func validate() throws {
        if keySeparator != nil, !parseKey {
            throw ValidationError("--key-separator needs --parse-key")
        }
        if headersDelimiter != nil, !parseHeaders {
            throw ValidationError("--headers-delimiter needs --parse-headers")
        }
        for (name, text) in [
            ("--key-separator", keySeparator), ("--headers-delimiter", headersDelimiter),
            ("--headers-separator", headersSeparator),
            ("--header-key-separator", headerKeySeparator), ("--null-marker", nullMarker),
        ] where text == "" {
            throw ValidationError("\(name) needs at least one character")
        }
        for text in header where (text.firstIndex(of: "=") ?? text.startIndex) == text.startIndex {
            throw ValidationError("-H takes name=value; found \"\(text)\"")
        }
    }

    var format: LineFormat {
        var format = LineFormat()
        format.parsesKey = parseKey
        format.parsesHeaders = parseHeaders
        if let keySeparator { format.keySeparator = keySeparator.kafkaBytes }
        if let headersDelimiter { format.headersDelimiter = headersDelimiter.kafkaBytes }
        format.headersSeparator = headersSeparator.kafkaBytes
        format.headerKeySeparator = headerKeySeparator.kafkaBytes
        format.nullMarker = nullMarker?.kafkaBytes
        format.ignoresErrors = ignoreError
        format.fixedHeaders = header.map { text in
            let equals = text.firstIndex(of: "=") ?? text.endIndex
            let value = text[text.index(after: equals)...]
            return KafkaHeaders.Header(name: String(text[..<equals]), value: value.kafkaBytes)
        }
        return format
    }
}
