package import PipelineLanguage

/// A pipeline ready to run: a flat list of instructions over slots.
///
/// It never changes once it is made, so that any number of processors may share it.
package struct Program: @unchecked Sendable {
    // Safe to share: the texts are never changed and live as long as `constants`, which it holds.
    /// How this pipeline's files are cut into events.
    package enum Framing: Sendable, Equatable {
        case lines
        case csv(separator: UInt8, quote: UInt8?)
        /// Lines travel together, as `RecordProcessor.matchesLine(_:)` says of each of them.
        case multiline(Multiline)
    }

    package let name: String
    /// What `Fate.dropped` points into.
    package let dropReasons: [String]
    /// In a program that makes the records of one cluster, the reason for lines that only others get
    /// something of; nil where there are none.
    let elsewhereReason: Int?
    package let plan: Plan
    let host: Text
    let code: Code
    let errorCode: ErrorCode
    let columns: [CompiledColumn]
    /// What is needed of the columns for most of their texts.
    let columnKinds: [ColumnKind]
    let slotNames: [Text]
    /// The same as JSON, with the colon behind them.
    let slotLabels: [Text]
    /// For multi-line events, what a line is held against.
    let multilineRegex: Regex?
    let lineRegex: Regex?
    /// For a regex pipeline, the group of each column.
    let groups: [Int]
    let version: Text
    /// The places that tests should reach; none unless they are measured.
    package let coveragePoints: [CoveragePoint]
    let syslogLine: SyslogLine
    private let constants: ConstantPool
    private let environment: [String: String]
    private let standIns: [String: String]
    private let secrets: [String: SecretBytes]

    /// Compiles a checked plan for this host.
    ///
    /// - Parameter standIns: variables that are taken where the environment has none, until ``with(_:)``.
    /// - Parameter secrets: the keys of `hmac`, by the names that `forktail.conf` gives them.
    /// - Parameter measuresCoverage: whether processors note which places they reach.
    /// - Parameter destination: the cluster that gets its records; nil for all of them.
    /// - Throws: `ProgramError` for what only shows here: a missing environment variable, an unknown
    ///   zone, a pattern that PCRE2 refuses.
    package init(
        plan: Plan,
        host: String,
        environment: [String: String],
        standIns: [String: String] = [:],
        secrets: [String: SecretBytes] = [:],
        measuresCoverage: Bool = false,
        destination: Destination? = nil
    ) throws(ProgramError) {
        let constants = ConstantPool()
        let coverage = measuresCoverage ? CoverageMap() : nil
        var compiler = ProgramCompiler(
            plan: plan,
            environment: environment.merging(standIns) { own, _ in own },
            secrets: secrets,
            constants: constants,
            coverage: coverage,
            destination: destination
        )
        self.plan = plan
        self.constants = constants
        syslogLine = SyslogLine(constants)
        self.environment = environment
        self.standIns = standIns
        self.secrets = secrets
        self.host = constants.text(host)
        name = plan.name
        columns = try plan.columns.map { column throws(ProgramError) in try compiler.column(column)
        }
        columnKinds = columns.map(\.conversion.kind)
        slotNames = plan.fieldNames.map(constants.text)
        slotLabels = slotNames.map(constants.label)
        code = try compiler.code(plan.steps)
        errorCode = try compiler.errorCode(plan.errorPolicy)
        multilineRegex = try plan.input.multiline.map { multiline throws(ProgramError) in
            try compiler.regex(multiline.pattern.text, at: multiline.pattern.span)
        }
        elsewhereReason = compiler.elsewhereReason()
        dropReasons = compiler.dropReasons
        coveragePoints = coverage?.points ?? []
        version = constants.text(
            String(
                plan.source.bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
                    ($0 ^ UInt64($1)) &* 0x100_0000_01B3
                },
                radix: 16
            )
        )
        if case .regex(let pattern) = plan.format {
            let regex = try compiler.regex(pattern.text, at: pattern.span)
            lineRegex = regex
            groups = plan.columns.map { regex.groupNumber(named: $0.name) ?? 0 }
        } else {
            lineRegex = nil
            groups = []
        }
        constants.complete()
    }

    /// Whether it stands on variables that only tests give.
    var hasStandIns: Bool { !standIns.isEmpty }

    /// The same pipeline where some variables have other values, without stand-ins.
    func with(_ variables: [String: String]) throws(ProgramError) -> Program {
        try Program(
            plan: plan,
            host: String(decoding: host, as: UTF8.self),
            environment: environment.merging(variables) { _, new in new },
            secrets: secrets,
            measuresCoverage: !coveragePoints.isEmpty
        )
    }

    package var framing: Framing {
        if let multiline = plan.input.multiline { return .multiline(multiline) }
        if case .csv(let format) = plan.format {
            return .csv(separator: format.separator, quote: format.quote)
        }
        return .lines
    }
}

/// Why a checked pipeline cannot run on this host; the text says where and what to do.
package struct ProgramError: Error, CustomStringConvertible, Sendable {
    package let description: String
}

/// A column and how its text becomes a value.
struct CompiledColumn: @unchecked Sendable {
    // Safe to share: the texts are constants of the program.
    indirect enum Conversion: @unchecked Sendable {
        // Safe to share: the texts are constants of the program.
        case string
        case int
        case decimal
        case float
        case bool
        case time(TimeReader)
        case duration
        case enumeration([Text], list: String)
        case object
        case bytes
        case list(of: CompiledColumn)
        case any
    }

    let name: Text
    let isOptional: Bool
    let conversion: Conversion
    let label: String
}

/// How a column's text becomes a value, without what only some texts need.
///
/// Nothing in it is counted: a column itself is retained and released for each text.
enum ColumnKind {
    case string, int, decimal, time, other
}

extension CompiledColumn.Conversion {
    var kind: ColumnKind {
        switch self {
        case .string: .string
        case .int: .int
        case .decimal: .decimal
        case .time: .time
        default: .other
        }
    }
}

/// How the text of a time column is read.
struct TimeReader: Sendable {
    enum Notation: Sendable {
        case iso8601, unix, unixMilliseconds, unixMicroseconds, unixNanoseconds
        case syslog([TimePattern], year: Int64)
        case pattern(TimePattern)
    }

    let notation: Notation
    let zone: TimeZoneRules?
    /// How the format is called in messages.
    let label: String

    /// Nanoseconds since 1970, or `nil` when the text does not fit.
    func parse(_ text: Text) -> Int64? {
        switch notation {
        case .iso8601: parseISO8601(text, zone: zone)
        case .unix: parseUnixSeconds(text)
        case .unixMilliseconds: parseUnixMilliseconds(text)
        case .unixMicroseconds: parseUnixMicroseconds(text)
        case .unixNanoseconds: parseUnixNanoseconds(text)
        case .pattern(let pattern): pattern.parse(text, zone: zone)
        case .syslog(let patterns, let year):
            patterns.lazy.compactMap { $0.parse(text, zone: zone, year: year) }.first
                ?? parseISO8601(text, zone: zone)
        }
    }
}

/// A flat list of instructions; jumps are indices into it.
struct Code: Sendable {
    var instructions: [Instruction] = []

    mutating func append(_ mark: Instruction?) {
        if let mark { instructions.append(mark) }
    }
}

enum Instruction: Sendable {
    case local(Int, Node)
    case set(CompiledPath, Node)
    case remove(CompiledPath)
    case rename(CompiledPath, to: CompiledPath)
    case keep(CompiledKeep)
    case drop(reason: Int, condition: Node?)
    case reject(reason: String, condition: Node?)
    /// Goes on at `target` unless the condition holds.
    case branch(Node, otherwise: Int)
    case jump(Int)
    case send(CompiledSend)
    /// Notes that a place was reached; only in programs that are measured.
    case reached(Int)
}

struct CompiledPath: @unchecked Sendable {
    // Safe to share: the texts are constants of the program.
    let slot: Int
    let members: [Text]
}

/// What a `keep` leaves.
struct CompiledKeep: @unchecked Sendable {
    // Safe to share: the texts are constants of the program.
    /// By slot, whether something of it stays.
    let isKept: [Bool]
    /// Slots of which only some members stay.
    let parts: [(slot: Int, members: [[Text]])]
}

/// A class, so that whoever runs it counts one thing and not all of its parts.
final class CompiledSend: @unchecked Sendable {
    // Safe to share: the texts are constants of the program.
    let topic: Node
    let key: Node?
    let value: Node
    let timestamp: Node?
    let partition: Node?
    let headers: [(name: Text, value: Node)]
    /// The name of a cluster that is not the process's own.
    let cluster: Text?
    /// Whether its records are made for another cluster than the program's.
    let isElsewhere: Bool

    init(
        topic: Node,
        key: Node?,
        value: Node,
        timestamp: Node?,
        partition: Node?,
        headers: [(name: Text, value: Node)],
        cluster: Text?,
        isElsewhere: Bool
    ) {
        self.topic = topic
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self.partition = partition
        self.headers = headers
        self.cluster = cluster
        self.isElsewhere = isElsewhere
    }
}

enum ErrorCode: Sendable {
    case deadLetter(Node, isElsewhere: Bool)
    case stop
    case skip
    case steps(Code)
}

/// An expression with everything resolved that can be before the first line.
indirect enum Node: @unchecked Sendable {
    // Safe to share: the texts are constants of the program.
    case constant(ConstantValue)
    case field(slot: Int, members: [Text])
    case local(Int)
    case allFields(except: [CompiledPath])
    /// The same as JSON.
    case allFieldsText(except: [CompiledPath])
    case meta(Meta)
    case member(Node, Text)
    case index(Node, Node)
    case except(Node, [[Text]])
    case negate(Node)
    case not(Node)
    case binary(BinaryOperator, Node, Node)
    case coalesce(Node, Node)
    case matches(Node, Regex, negated: Bool)
    case call(Function, [Node?], PreparedCall)
    case list([Node])
    case object([(name: Text, value: Node)])
    case interpolation([Node])
    case match(subject: Node?, arms: [(patterns: [Node], result: Node)], otherwise: Node?)
    /// Notes that a place was reached; only in programs that are measured.
    case reached(Int, Node)
}

/// A literal, with its text in the program's own memory.
enum ConstantValue: @unchecked Sendable {
    // Safe to share: the texts are never changed and live as long as the program.
    case null
    case bool(Bool)
    case int(Int64)
    case decimal(Text)
    case string(Text)
    case duration(Int64)

    var value: Value {
        switch self {
        case .null: .null
        case .bool(let flag): .bool(flag)
        case .int(let number): .int(number)
        case .decimal(let digits): .decimal(digits)
        case .string(let text): .string(text)
        case .duration(let nanoseconds): .duration(nanoseconds)
        }
    }
}
