import Testing

@testable import PipelineLanguage

/// A text and what the formatter makes of it.
struct Formatted {
    let source: SourceText
    let output: [UInt8]?

    init(_ text: String) {
        self.init(bytes: Array(text.utf8))
    }

    init(bytes: [UInt8]) {
        source = SourceText(path: "till.pipeline", bytes: bytes)
        if case .formatted(let output) = PipelineFormatter.format(source) {
            self.output = output
        } else {
            output = nil
        }
    }

    var text: String? { output.map { String(decoding: $0, as: UTF8.self) } }

    /// The comments, without the white space at their ends.
    func comments(in bytes: [UInt8]) -> [String] {
        var lexer = Lexer(source: SourceText(path: "till.pipeline", bytes: bytes))
        let tokens = lexer.tokens()
        let source = lexer.source
        let context = LayoutContext(source: source, tokens: tokens, marks: LayoutMarks())
        let printer = LayoutPrinter(context: context)
        return context.gaps.flatMap(\.comments).map {
            String(decoding: printer.comment($0), as: UTF8.self)
        }
    }
}

/// What a value is made of, without its places in a text.
func structure(of value: Any) -> String {
    if value is Span || value is SourceText { return "" }
    let mirror = Mirror(reflecting: value)
    guard !mirror.children.isEmpty else { return String(describing: value) }
    let children = mirror.children.map { ($0.label ?? "") + ":" + structure(of: $0.value) }
    let parts = mirror.displayStyle == .set ? children.sorted() : children
    return "\(mirror.subjectType)(\(parts.joined(separator: ",")))"
}
