/// The functions of the language, one row each.
package enum Function: String, CaseIterable, Sendable {
    case json, text
    case string, int, decimal, float, bool
    case lower, upper, trim, split, join, capture, replace
    case startsWith = "starts_with"
    case endsWith = "ends_with"
    case contains, len
    case mask
    case maskIP = "mask_ip"
    case merge
    case unix
    case unixMilliseconds = "unix_ms"
    case basename, dirname, hash
}

/// How a function is called, and what it is for.
package struct FunctionSignature: Sendable {
    package struct Parameter: Sendable {
        package enum Accepts: Sendable {
            case any, string, int, time, object, list
            /// A regular expression, written out with quotes.
            case pattern
        }

        package var name: String
        package var accepts: Accepts
        /// True when the call must name it: `keep_last: 4`.
        package var isLabelled: Bool
        package var isRequired: Bool
    }

    package var parameters: [Parameter]
    package var result: ValueType
    package var summary: String
}

extension Function {
    package var signature: FunctionSignature {
        switch self {
        case .json:
            row([value("value", .any)], .bytes, "the value as JSON")
        case .text:
            row([value("text")], .bytes, "the text as UTF-8 bytes")
        case .string:
            row([value("value", .any)], .string, "the value as text")
        case .int:
            row([value("value", .any)], .int, "a whole number; fails if it is none")
        case .decimal:
            row([value("value", .any)], .decimal, "a number that keeps its digits")
        case .float:
            row([value("value", .any)], .float, "a floating-point number")
        case .bool:
            row([value("value", .any)], .bool, "true or false, from a bool or its text")
        case .lower:
            row([value("text")], .string, "the text in lower case")
        case .upper:
            row([value("text")], .string, "the text in upper case")
        case .trim:
            row([value("text")], .string, "the text without white space at its ends")
        case .split:
            row(
                [value("text"), value("separator"), label("max", .int)],
                ValueType(.list(.string)),
                "the parts between separators; the last of `max` parts keeps the rest"
            )
        case .join:
            row([value("parts", .list), value("separator")], .string, "the parts as one text")
        case .capture:
            row(
                [value("text"), value("pattern", .pattern)],
                .string,
                "what the pattern's first group matched; fails without a match"
            )
        case .replace:
            row(
                [value("text"), value("pattern", .pattern), value("with")],
                .string,
                "the text with each match replaced; `$1` is the first group"
            )
        case .startsWith:
            row([value("text"), value("start")], .bool, "whether the text begins so")
        case .endsWith:
            row([value("text"), value("end")], .bool, "whether the text ends so")
        case .contains:
            row([value("text"), value("part")], .bool, "whether the text has this part")
        case .len:
            row([value("value", .any)], .int, "characters of a text, members of a list or object")
        case .mask:
            row(
                [value("text"), label("keep_last", .int), label("keep_first", .int)],
                .string,
                "the text with `*` for each character that is not kept"
            )
        case .maskIP:
            row([value("address")], .string, "the address with its last part set to zero")
        case .merge:
            row(
                [value("first", .object), value("second", .object)],
                .object,
                "the members of both; the second's win"
            )
        case .unix:
            row([value("time", .time)], .int, "seconds since 1970")
        case .unixMilliseconds:
            row([value("time", .time)], .int, "milliseconds since 1970")
        case .basename:
            row([value("path")], .string, "the last part of a path")
        case .dirname:
            row([value("path")], .string, "a path without its last part")
        case .hash:
            row([value("text")], .int, "murmur2, as Kafka's partitioner computes it")
        }
    }

    /// The signature as a line of text, such as `mask(text, keep_last:, keep_first:) → string`.
    package var usage: String {
        let signature = self.signature
        let parts = signature.parameters.map { $0.isLabelled ? "\($0.name):" : $0.name }
        return "\(rawValue)(\(parts.joined(separator: ", "))) → \(signature.result)"
    }
}

private func row(
    _ parameters: [FunctionSignature.Parameter],
    _ result: ValueType,
    _ summary: String
) -> FunctionSignature {
    FunctionSignature(parameters: parameters, result: result, summary: summary)
}

private func value(
    _ name: String,
    _ accepts: FunctionSignature.Parameter.Accepts = .string
) -> FunctionSignature.Parameter {
    .init(name: name, accepts: accepts, isLabelled: false, isRequired: true)
}

private func label(
    _ name: String,
    _ accepts: FunctionSignature.Parameter.Accepts
) -> FunctionSignature.Parameter {
    .init(name: name, accepts: accepts, isLabelled: true, isRequired: false)
}
