import Testing

@testable import PipelineLanguage

struct SourceTextTests {
    @Test func `a pipeline is named after its file`() {
        #expect(SourceText(path: "etc/orders.pipeline", text: "").name == "orders")
        #expect(SourceText(path: "orders", text: "").name == "orders")
    }

    @Test func `columns are counted in characters, lines from one`() {
        let source = SourceText(path: "p", text: "a\n→ü b\r\nc")
        #expect(source.location(of: 0) == SourceLocation(line: 1, column: 1))
        #expect(source.location(of: 8) == SourceLocation(line: 2, column: 4))
        #expect(source.location(of: 11) == SourceLocation(line: 3, column: 1))
    }
}
