/// A checked pipeline: every name resolved, every type known, ready to be compiled and run.
///
/// A plan exists only for a text without errors. Fields are slots: the declared columns come
/// first, in the order of their declaration, then the names that `set` (or an unchecked format)
/// brings in.
package struct Plan: Sendable {
    /// The name of the pipeline.
    package var name: String
    /// The text the spans point into, for the `file:line` of a failure at run time.
    package var source: SourceText
    package var input: Input
    package var format: Format
    /// The declared columns; a column's slot is its index.
    package var columns: [Column]
    /// The name of each slot, the columns first.
    package var fieldNames: [String]
    /// True when fields that nobody declared travel along in `*` (JSON).
    package var isOpen: Bool
    /// True when `parse` has no block, so that names and types are not checked.
    package var isUntyped: Bool
    /// The name of each `let`, by its index.
    package var localNames: [String]
    package var steps: [Step]
    package var errorPolicy: ErrorPolicy
    /// Where `on error` stands; nil when the policy was inherited from the defaults.
    package var errorPolicySpan: Span?
    package var tests: [PipelineTest]
}

// MARK: - Input

/// Where the bytes come from.
package struct Input: Sendable {
    package struct Glob: Sendable {
        package var pattern: String
        package var span: Span
    }

    package enum Start: String, Sendable, CaseIterable {
        case beginning, end
    }

    /// What happens to a line longer than `max_line`.
    package enum LongLines: String, Sendable, CaseIterable {
        case cut, skip
    }

    /// What happens to bytes that are not UTF-8.
    package enum InvalidUTF8: String, Sendable, CaseIterable {
        case keep, replace
    }

    /// What happens to files that are compressed.
    package enum Compressed: String, Sendable, CaseIterable {
        case auto, no
    }

    package var globs: [Glob] = []
    package var excluded: [Glob] = []
    /// A file is read once its size has not changed for this long.
    package var settle: Duration?
    /// Where reading begins in files that are there at the first start.
    package var start: Start = .beginning
    /// Where reading begins in files that come later.
    package var newFiles: Start = .beginning
    /// A file not modified for so long when it is first seen is passed over as it is.
    package var ignoreOlder: Duration?
    /// Where reading begins in such a file once it grows.
    package var oldFiles: Start = .end
    /// How long nobody may have appended to a rotated file before it counts as over.
    package var rotateWait: Duration = .seconds(5)
    /// After so long without growth a file is closed; zero holds it open.
    package var closeInactive: Duration = .seconds(300)
    /// The longest line, in bytes.
    package var maxLine: Int = 1 << 20
    package var longLines: LongLines = .cut
    /// When set, lines travel together.
    package var multiline: Multiline?
    /// After so long without another line a multi-line event is whole; zero waits for ever.
    package var multilineTimeout: Duration = .seconds(5)
    package var keepsEmptyLines: Bool = false
    /// As written, for the host to look up; nil for UTF-8.
    package var encoding: String?
    package var invalidUTF8: InvalidUTF8 = .keep
    package var compressed: Compressed = .auto
    package var span: Span
}

/// Which lines of a file are one event.
package enum Multiline: Hashable, Sendable {
    /// A line that matches begins an event; every other joins the one above it.
    case startsWith(Pattern)
    /// A line that matches ends its event.
    case endsWith(Pattern)
    /// A line that matches joins the event above it; every other begins one.
    case continuesWith(Pattern)
    /// A line that matches is continued by the next one.
    case continuedBy(Pattern)

    package var pattern: Pattern {
        switch self {
        case .startsWith(let pattern), .endsWith(let pattern): pattern
        case .continuesWith(let pattern), .continuedBy(let pattern): pattern
        }
    }
}

/// A regular expression (PCRE2) as written, not yet compiled.
package struct Pattern: Hashable, Sendable {
    package var text: String
    package var span: Span
}

// MARK: - Format

/// How a line becomes fields.
package enum Format: Sendable {
    case json
    case csv(CSVFormat)
    /// The whole line is the one column.
    case text
    /// Columns are the named groups.
    case regex(Pattern)
    /// `key=value` pairs; a column is found by its key.
    case logfmt
    /// The columns are those of the format, in its order.
    case known(KnownFormat)
}

package struct CSVFormat: Sendable {
    package var hasHeader: Bool = false
    package var separator: UInt8 = UInt8(ascii: ",")
    /// Nil when quotes mean nothing.
    package var quote: UInt8? = UInt8(ascii: "\"")
}

/// A declared field of the record.
package struct Column: Sendable {
    package var name: String
    package var type: ValueType
    /// How the text of a `time`, or of each in a list, is read; nil for the other types.
    package var time: TimeFormat?
    package var slot: Int
    package var span: Span
}

/// How the text of a time is read.
package struct TimeFormat: Hashable, Sendable {
    package enum Notation: Hashable, Sendable {
        case iso8601
        /// Seconds since 1970, with or without a fraction.
        case unix
        case unixMilliseconds
        case unixMicroseconds
        case unixNanoseconds
        /// `Nov 23 10:00:00` in a year, or ISO 8601.
        case syslog(year: Int64)
        /// strptime's letters, and `%3f`, `%6f`, `%9f` for fractions.
        case pattern(String)

        /// The notations that have a name of their own.
        package static let names: [String: Self] = [
            "iso8601": .iso8601, "unix": .unix, "unix_ms": .unixMilliseconds,
            "unix_us": .unixMicroseconds, "unix_ns": .unixNanoseconds,
        ]

        package init?(name: String) {
            guard let notation = Self.names[name] else { return nil }
            self = notation
        }
    }

    package var notation: Notation
    /// The zone for texts that name none, such as `UTC` or `Europe/Berlin`.
    package var zone: String?
    package var span: Span

    package init(notation: Notation, zone: String?, span: Span) {
        self.notation = notation
        self.zone = zone
        self.span = span
    }
}

// MARK: - Steps

package struct Step: Sendable {
    package indirect enum Kind: Sendable {
        case `let`(local: Int, Expression)
        case set(FieldPath, Expression)
        case remove([FieldPath])
        /// Moves a field with its text, as if it had come under the other name.
        case rename(FieldPath, to: FieldPath)
        /// Removes all fields but these.
        case keep([FieldPath])
        /// Settles the record as dropped, if the condition holds or there is none.
        case drop(reason: String, condition: Expression?)
        case reject(reason: String, condition: Expression?)
        case `if`([Branch], otherwise: [Step])
        case send(Send)
    }

    package var kind: Kind
    package var span: Span
}

package struct Branch: Sendable {
    package var condition: Expression
    package var steps: [Step]
    package var span: Span
}

/// A field of the record, or something inside it.
package struct FieldPath: Hashable, Sendable {
    package var slot: Int
    /// The way into the object that the field holds; empty for the field itself.
    package var members: [String]
    package var span: Span
}

/// One Kafka record to be made.
package struct Send: Sendable {
    package struct Header: Sendable {
        package var name: String
        package var value: Expression
        package var span: Span
    }

    /// The `kafka` block of `forktail.conf` that it names.
    package var cluster: String?
    /// Where it goes.
    package var destination: Destination
    package var topic: Expression
    package var key: Expression?
    package var value: Expression
    package var timestamp: Expression?
    package var partition: Expression?
    package var headers: [Header]
    package var span: Span
}

/// What happens to a record that cannot be parsed, computed, or accepted by Kafka.
package enum ErrorPolicy: Sendable {
    /// The original bytes go to this topic.
    case deadLetter(Expression)
    case stop
    case skip
    /// The record's own steps: `let`, `if`, `send` and `drop`; no fields of the record.
    case steps([Step])
}

// MARK: - Expressions

/// An expression whose names are resolved and whose type is known.
package struct Expression: Sendable {
    package indirect enum Kind: Sendable {
        case literal(Literal)
        case field(FieldPath)
        case local(Int)
        /// `*`, or `* except (…)`.
        case allFields(except: [FieldPath])
        case meta(Meta)
        /// A member of a value that is not a field, by name.
        case member(Expression, String)
        case index(Expression, Expression)
        /// An object without some members; each is a path of names.
        case except(Expression, [[String]])
        case unary(UnaryOperator, Expression)
        case binary(BinaryOperator, Expression, Expression)
        /// `a ?? b`: b when a has no value or could not be computed.
        case coalesce(Expression, Expression)
        case regexMatch(Expression, Pattern, negated: Bool)
        /// Arguments in the order of the signature; nil where an optional one was left out.
        case call(Function, [Expression?])
        case list([Expression])
        case object([ObjectMember])
        case interpolation([TextSegment])
        case match(Match)
    }

    package var kind: Kind
    package var type: ValueType
    package var span: Span
}

package enum Literal: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    /// The digits as written, such as `19.90` or `-0.5`.
    case decimal(String)
    case string(String)
    case duration(Duration)
}

package struct ObjectMember: Sendable {
    package var name: String
    package var value: Expression
}

package enum TextSegment: Sendable {
    case text(String)
    case expression(Expression)
}

/// The first arm that fits gives the value; a record that fits none fails.
package struct Match: Sendable {
    package struct Arm: Sendable {
        /// Values that the subject may equal, or conditions without a subject; one is enough.
        package var patterns: [Expression]
        package var result: Expression
        package var span: Span
    }

    package var subject: Expression?
    package var arms: [Arm]
    package var otherwise: Expression?
}

package enum UnaryOperator: String, Sendable {
    case negate = "-"
    case not
}

package enum BinaryOperator: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    /// Element of a list.
    case isIn = "in"
    case isNotIn = "not in"
    case and, or
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case remainder = "%"
}

/// What is known about a record besides its fields.
package enum Meta: Hashable, Sendable {
    case host, path, file, line, offset, raw, now
    case pipeline, inode, modificationTime
    /// Read once, at load; the load fails when it is missing and no `??` covers it.
    case environment(String)
    case errorKind, errorMessage, errorLine
}

// MARK: - Tests

/// An example in the file that must hold.
package struct PipelineTest: Sendable {
    package struct Given: Sendable {
        package var meta: Meta
        package var value: Expression
    }

    package struct Expectation: Sendable {
        package enum Kind: Sendable {
            case record(ExpectedRecord)
            case drop(reason: String?)
            case deadLetter(message: String?)
            case nothing
        }

        package var kind: Kind
        package var span: Span
    }

    package var name: String
    package var given: [Given]
    /// The content of the file: each line ends with a line feed.
    package var input: String
    package var inputSpan: Span
    package var expectations: [Expectation]
    package var span: Span
}

/// What a test says about a record that was sent; what is nil is not compared.
///
/// All expressions are constant: literals, lists and objects of literals.
package struct ExpectedRecord: Sendable {
    package struct Cluster: Sendable {
        /// As it is written.
        package var name: String
        package var destination: Destination
        package var span: Span
    }

    package var cluster: Cluster?
    package var topic: Expression?
    package var key: Expression?
    package var value: Expression?
    /// The members that the value must have, among others.
    package var valueMembers: Expression?
    package var timestamp: Expression?
    package var partition: Expression?
    package var headers: [Send.Header] = []

    /// True for `expect { }`, into which `forktail test --update` writes.
    package var isEmpty: Bool {
        cluster == nil && topic == nil && key == nil && value == nil && valueMembers == nil
            && timestamp == nil && partition == nil && headers.isEmpty
    }
}
