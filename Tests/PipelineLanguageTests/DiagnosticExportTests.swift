import Testing

@testable import PipelineLanguage

struct DiagnosticExportTests {
    private let file: DiagnosticExport.File = {
        let source = SourceText(path: "a b/té,st.pipeline", text: "é🇩🇪 x\nsecond \"line\"\n")
        return .init(
            source: source,
            diagnostics: [
                Diagnostic(.unknownField, "100% `x`\tno", at: Span(11, 12), label: "l", help: "h"),
                Diagnostic(.untyped, "both\nlines", at: Span(0, 20)),
            ]
        )
    }()

    @Test func `json has one object with places and what they add up to`() {
        let clean = DiagnosticExport.File(source: SourceText(path: "c", text: ""), diagnostics: [])
        #expect(
            DiagnosticExport(files: [file, clean]).json == """
                {"diagnostics":[\
                {"code":"E201","severity":"error","message":"100% `x`\\tno",\
                "file":"a b/té,st.pipeline","line":1,"column":4,"endLine":1,"endColumn":5,\
                "label":"l","help":"h"},\
                {"code":"N201","severity":"note","message":"both\\nlines",\
                "file":"a b/té,st.pipeline","line":1,"column":1,"endLine":2,"endColumn":8}],\
                "summary":{"errors":1,"warnings":0,"notes":1,"files":2,"failedFiles":1}}

                """
        )
    }

    @Test func `an annotation for GitHub is one line, and nothing in it ends a property`() {
        #expect(
            DiagnosticExport(files: [file]).github == """
                ::error file=a b/té%2Cst.pipeline,line=1,endLine=1,col=4,endColumn=4,\
                title=forktail E201::100%25 `x`\tno (l)%0Ah
                ::notice file=a b/té%2Cst.pipeline,line=1,endLine=2,title=forktail N201::both%0Alines

                """
        )
    }

    @Test func `sarif counts columns in code points and writes paths as URIs`() {
        let sarif = DiagnosticExport(files: [file]).sarif(version: "1.2")
        let place = """
            {"physicalLocation":{"artifactLocation":{"uri":"a%20b/t%C3%A9%2Cst.pipeline"},\
            "region":{"startLine":1,"startColumn":5,"endLine":1,"endColumn":6}}}
            """
        #expect(sarif.contains("\"locations\":[\(place)]"))
        #expect(sarif.contains("{\"ruleId\":\"E201\",\"ruleIndex\":6,\"level\":\"error\""))
        #expect(sarif.contains("\"name\":\"forktail\",\"version\":\"1.2\""))
        for code in DiagnosticCode.allCases {
            #expect(sarif.contains("{\"id\":\"\(code.rawValue)\",\"shortDescription\""))
        }
        let absolute = SourceText(path: "/etc/x.pipeline", text: "x")
        let one = DiagnosticExport.File(
            source: absolute,
            diagnostics: [Diagnostic(.syntax, "m", at: Span(0, 1))]
        )
        #expect(
            DiagnosticExport(files: [one]).sarif(version: "1")
                .contains("\"uri\":\"file:///etc/x.pipeline\"")
        )
    }

    @Test func `what stands in an included file says what included it`() {
        var source = SourceText(path: "p.pipeline", text: Till.steps("include \"a\"").text)
        var context = PipelineContext()
        context.read = { _ in .bytes(Array("set x = shpo".utf8)) }
        let (_, diagnostics) = PipelineCompiler.compile(&source, in: context)
        let export = DiagnosticExport(files: [.init(source: source, diagnostics: diagnostics)])
        #expect(export.json.contains("\"file\":\"a\",\"line\":1,\"column\":9"))
        #expect(export.json.contains("\"includedFrom\":[\"p.pipeline:10:1\"]"))
        #expect(export.github.contains("file=a,line=1"))
        #expect(export.sarif(version: "1").contains("\"relatedLocations\":[{\"physicalLocation\""))
    }
}
