/// How a function is called, what it is for, and examples that a test runs.
package struct FunctionSignature: Sendable {
    package enum Group: String, CaseIterable, Sendable {
        case encoding = "encode"
        case converting = "convert"
        case text
        case time
        case privacy
        case objects
        case paths
        case other
    }

    package struct Parameter: Sendable {
        package enum Accepts: Sendable {
            case any, string, int, number, time, duration, object, list
            /// A regular expression, written out with quotes.
            case pattern
            /// `iso8601`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or letters of strptime in quotes.
            case timeFormat
            /// The name of a time zone, in quotes.
            case zone
            /// The name of a secret of `forktail.conf`.
            case secret
            /// One of these texts, in quotes.
            case choice([String])
        }

        package var name: String
        package var accepts: Accepts
        /// True when the call must name it: `keep_last: 4`.
        package var isLabelled: Bool
        package var isRequired: Bool

        static func value(_ name: String, _ accepts: Accepts = .string) -> Self {
            Self(name: name, accepts: accepts, isLabelled: false, isRequired: true)
        }

        static func optional(_ name: String, _ accepts: Accepts) -> Self {
            Self(name: name, accepts: accepts, isLabelled: false, isRequired: false)
        }

        static func label(_ name: String, _ accepts: Accepts, required: Bool = false) -> Self {
            Self(name: name, accepts: accepts, isLabelled: true, isRequired: required)
        }
    }

    /// A call and what comes of it in `FunctionExample`'s surroundings.
    package struct Example: Sendable {
        package enum Outcome: Sendable, Equatable {
            /// As JSON, or as it is for a function that makes bytes.
            case value(String)
            /// The message of the record's failure.
            case failure(String)
        }

        package var expression: String
        package var outcome: Outcome

        init(_ expression: String, _ value: String) {
            self.expression = expression
            outcome = .value(value)
        }

        init(_ expression: String, fails message: String) {
            self.expression = expression
            outcome = .failure(message)
        }
    }

    package var group: Group
    package var parameters: [Parameter]
    package var result: ValueType
    package var summary: String
    package var examples: [Example]

    init(
        _ group: Group,
        _ parameters: [Parameter],
        _ result: ValueType,
        _ summary: String,
        _ examples: [Example]
    ) {
        self.group = group
        self.parameters = parameters
        self.result = result
        self.summary = summary
        self.examples = examples
    }
}

/// What is around the examples of functions: the line, its file, the time, and a secret.
package enum ExampleSurroundings {
    package static let glob = "/var/log/apps/*/*.log"
    package static let path = "/var/log/apps/cart/web-1.log"
    /// Milliseconds since 1970: 2026-11-23T10:00:00Z.
    package static let readTime: Int64 = 1_795_428_000_000
    package static let offset: Int64 = 4096
    package static let secretName = "customers"
    package static let secret = "correct horse battery staple"
}
