/// The functions of the language, one row each.
package enum Function: String, CaseIterable, Sendable {
    case json, text, msgpack
    case string, int, decimal, float, bool, time, duration, hex, base64, unbase64
    case lower, upper, trim, replace, capture, captures, split, join
    case startsWith = "starts_with"
    case endsWith = "ends_with"
    case contains, substring, truncate, len
    case formatTime = "format_time"
    case unix
    case unixMilliseconds = "unix_ms"
    case unixNanoseconds = "unix_ns"
    case trunc, age
    case mask
    case maskIP = "mask_ip"
    case sha256, hmac, redact
    case merge, keys, values, flatten
    case parseJSON = "parse_json"
    case parseKV = "parse_kv"
    case parseURL = "parse_url"
    case get
    case basename, dirname
    case globCapture = "glob_capture"
    case uuid5, hash, sample, salted

    /// Names that are taken, and why they cannot be called.
    package static let reserved: [String: String] = [
        "avro": "needs a schema registry, whose support comes with a later release",
        "protobuf":
            "needs a schema registry, whose support comes with a later release",
        "secret":
            "stands in `forktail.conf` only: a secret cannot be used in a record, but as the key"
            + " of `hmac(…)`",
    ]

    /// How it is called, and what it is for.
    package var signature: FunctionSignature {
        switch self {
        case .json: .json
        case .text: .text
        case .msgpack: .msgpack
        case .string: .string
        case .int: .int
        case .decimal: .decimal
        case .float: .float
        case .bool: .bool
        case .time: .time
        case .duration: .duration
        case .hex: .hex
        case .base64: .base64
        case .unbase64: .unbase64
        case .lower: .lower
        case .upper: .upper
        case .trim: .trim
        case .replace: .replace
        case .capture: .capture
        case .captures: .captures
        case .split: .split
        case .join: .join
        case .startsWith: .startsWith
        case .endsWith: .endsWith
        case .contains: .contains
        case .substring: .substring
        case .truncate: .truncate
        case .len: .len
        case .formatTime: .formatTime
        case .unix: .unix
        case .unixMilliseconds: .unixMilliseconds
        case .unixNanoseconds: .unixNanoseconds
        case .trunc: .trunc
        case .age: .age
        case .mask: .mask
        case .maskIP: .maskIP
        case .sha256: .sha256
        case .hmac: .hmac
        case .redact: .redact
        case .merge: .merge
        case .keys: .keys
        case .values: .values
        case .flatten: .flatten
        case .parseJSON: .parseJSON
        case .parseKV: .parseKV
        case .parseURL: .parseURL
        case .get: .get
        case .basename: .basename
        case .dirname: .dirname
        case .globCapture: .globCapture
        case .uuid5: .uuid5
        case .hash: .hash
        case .sample: .sample
        case .salted: .salted
        }
    }

    /// The signature as a line of text, such as `mask(text, keep_last:, keep_first:) → string`.
    package var usage: String {
        let signature = self.signature
        var parts: [String] = []
        for parameter in signature.parameters {
            let part = parameter.isLabelled ? "\(parameter.name):" : parameter.name
            // `redact(text, kind, …)`: what repeats is named once.
            if parts.last == part {
                parts.append("…")
            } else if parts.last != "…" {
                parts.append(part)
            }
        }
        return "\(rawValue)(\(parts.joined(separator: ", "))) → \(signature.result)"
    }
}
