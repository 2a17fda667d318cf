/// What is wrong with a pipeline's text, where, and what would put it right.
package struct Diagnostic: Hashable, Sendable {
    package enum Severity: String, Sendable {
        case error, warning, note
    }

    package var code: DiagnosticCode
    package var severity: Severity
    /// What was found, naming the thing; lower case, no full stop.
    package var message: String
    /// Exactly the offending text.
    package var span: Span
    /// A few words next to the caret.
    package var label: String?
    /// One remedy.
    package var help: String?

    package init(
        _ code: DiagnosticCode,
        _ message: String,
        at span: Span,
        label: String? = nil,
        help: String? = nil
    ) {
        self.code = code
        self.severity = code.severity
        self.message = message
        self.span = span
        self.label = label
        self.help = help
    }
}

/// The number of each check, as printed in `error[E201]`.
package enum DiagnosticCode: String, CaseIterable, Sendable {
    case badCharacters = "E101"
    case syntax = "E102"
    case unknownStatement = "E103"
    case unknownSetting = "E104"
    case chainedComparison = "E105"
    case assignmentInCondition = "E106"
    case unknownField = "E201"
    case unknownFunction = "E202"
    case unknownMetadata = "E203"
    case wrongArgument = "E204"
    case missingGroup = "E205"
    case unknownFormat = "E206"
    case unknownType = "E207"
    case unknownCluster = "E208"
    case possiblyMissing = "E301"
    case notACondition = "E302"
    case unlikeTypes = "E303"
    case impossibleValue = "E304"
    case uncoveredValue = "E305"
    case missingPart = "E401"
    case openEnd = "E402"
    case noErrorPolicy = "E403"
    case repeated = "E404"
    case incompleteSend = "E405"
    case badInclude = "E406"
    case noTimeFormat = "E501"
    case noTimeZone = "E502"
    case badTopic = "E601"
    case badHeader = "E602"
    case notRemakeable = "E603"
    case absentTopic = "E604"
    case absentPartition = "E605"
    case noRight = "E606"
    case uncheckedTopic = "W601"
    case unused = "W602"
    case doubtful = "W603"
    case noReadRight = "W605"
    case untyped = "N201"
    case inherited = "N202"
    case unaskedTopic = "N601"

    package var severity: Diagnostic.Severity {
        switch rawValue.first {
        case "W": .warning
        case "N": .note
        default: .error
        }
    }

    /// What the check is about, in one sentence.
    package var summary: String {
        switch self {
        case .badCharacters: "characters that mean nothing here, or quotes that do not close"
        case .syntax: "a word or sign where another was expected"
        case .unknownStatement: "a line that begins with no statement of the language"
        case .unknownSetting: "a setting that does not exist, or has an unfit value"
        case .chainedComparison: "`a < b < c`: comparisons do not chain"
        case .assignmentInCondition: "`=` where `==` was meant"
        case .unknownField: "a name that is neither a column nor a `let`"
        case .unknownFunction: "a function that does not exist"
        case .unknownMetadata: "an `@name` that does not exist, or not in this place"
        case .wrongArgument: "a value of a kind that cannot be used here"
        case .missingGroup: "a column without a named group in the regular expression"
        case .unknownFormat: "a format that `parse` does not know"
        case .unknownType: "a type that does not exist, or not in this format"
        case .unknownCluster: "a `send to` a cluster that `forktail.conf` does not have"
        case .possiblyMissing: "a value that may be missing where one is needed"
        case .notACondition: "a condition that is not true or false"
        case .unlikeTypes: "values of different kinds compared or combined"
        case .impossibleValue: "a comparison with a value that cannot occur"
        case .uncoveredValue: "a `match` that leaves out a value that can occur"
        case .missingPart: "a pipeline without `from` or `parse`"
        case .openEnd: "records that end neither sent, nor dropped, nor rejected"
        case .noErrorPolicy: "a pipeline that does not say what happens to a failed record"
        case .repeated: "something said twice"
        case .incompleteSend: "a `send` without a topic or a value"
        case .badInclude: "an `include` of a file that cannot be read, or that includes itself"
        case .noTimeFormat: "a time without the format it is written in"
        case .noTimeZone: "a time format without a zone"
        case .badTopic: "a topic name that Kafka refuses"
        case .badHeader: "a header name that cannot be used"
        case .notRemakeable: "a topic, key, partition or condition that depends on the time"
        case .absentTopic: "a topic that the cluster does not have (`--kafka`)"
        case .absentPartition: "a partition that its topic does not have (`--kafka`)"
        case .noRight: "a topic or transactional id that this client may not use (`--kafka`)"
        case .uncheckedTopic: "a topic name made of unchecked data: no end of topics"
        case .unused: "something computed that reaches no record"
        case .doubtful:
            "files not there, read twice, truncated, or with secrets that all can read; a fixed key"
        case .noReadRight:
            "a topic that this client may not read, which recovery may have to (`--kafka`)"
        case .untyped: "a `parse` without columns: names and types are not checked"
        case .inherited: "an `on error` that the defaults give"
        case .unaskedTopic:
            "a topic name that only the data tells: it cannot be looked up (`--kafka`)"
        }
    }
}
