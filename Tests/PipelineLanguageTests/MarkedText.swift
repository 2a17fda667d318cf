@testable import PipelineLanguage

/// A pipeline text with the expected diagnostics written into it, as `«E201:regoin»`.
struct MarkedText {
    /// An expected diagnostic: its code and the text it must cover.
    struct Mark: Equatable, CustomStringConvertible {
        var code: String
        var start: Int
        var text: String

        var description: String { "\(code) at \(start): \(text)" }
    }

    let text: String
    let marks: [Mark]

    init(_ marked: String) {
        var text = ""
        var open: [(code: String, start: Int)] = []
        var marks: [Mark] = []
        var rest = Substring(marked)
        while let character = rest.popFirst() {
            switch character {
            case "«":
                let code = String(rest.prefix(4))
                rest = rest.dropFirst(5)
                open.append((code, text.utf8.count))
            case "»":
                guard let (code, start) = open.popLast() else { continue }
                let covered = String(decoding: Array(text.utf8)[start...], as: UTF8.self)
                marks.append(Mark(code: code, start: start, text: covered))
            default: text.append(character)
            }
        }
        self.text = text
        self.marks = marks.sorted { ($0.start, $0.code) < ($1.start, $1.code) }
    }

    /// The diagnostics that the compiler makes of the text without its marks.
    var found: [Mark] {
        let source = SourceText(path: "till.pipeline", text: text)
        return PipelineCompiler.compile(source).diagnostics.map {
            Mark(code: $0.code.rawValue, start: $0.span.start, text: source.text(in: $0.span))
        }
    }
}

/// Pipelines of a shop's tills, to put lines into.
enum Till {
    static let from = "from \"/srv/till/*.csv\"\n"
    static let columns = """
        parse csv(header: true) {
          id:    int
          shop:  enum("north", "south")
          clerk: string?
          total: decimal
          note:  string
          at:    time('%Y-%m-%d', zone: "UTC")
        }

        """
    static let json = """
        parse json {
          id:    int
          shop:  enum("north", "south")?
          buyer: object?
          tags:  [string]
        }

        """
    static let send = "send { topic = \"till\"  key = id  value = json(*) }\n"
    static let onError = "on error dead_letter \"till.dead\"\n"

    /// A whole pipeline with steps before its `send`.
    static func steps(_ steps: String) -> MarkedText {
        MarkedText(from + columns + steps + "\n" + send + onError)
    }

    static func jsonSteps(_ steps: String) -> MarkedText {
        MarkedText(from + json + steps + "\n" + send + onError)
    }

    /// A whole pipeline with its own `send`s.
    static func ending(_ steps: String) -> MarkedText {
        MarkedText(from + columns + steps + "\n" + onError)
    }

    static func parse(_ parse: String) -> MarkedText {
        let send = "send { topic = \"till\"  value = json(*) }\n"
        return MarkedText(from + parse + "\n" + send + onError)
    }

    static func plan(_ text: String) -> Plan? {
        PipelineCompiler.compile(SourceText(path: "till.pipeline", text: text)).plan
    }
}
