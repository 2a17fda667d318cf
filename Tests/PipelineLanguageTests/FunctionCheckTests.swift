import Testing

@testable import PipelineLanguage

struct FunctionCheckTests {
    private func verify(
        _ marked: MarkedText,
        sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) {
        #expect(marked.found == marked.marks, sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        "set x = time(note, iso8601)",
        "set x = time(note, '%H:%M %z')",
        "set x = time(note, '%H:%M', zone: \"UTC\")",
        "set x = time(note, «E502:'%H:%M'»)",
        "set x = time(note, «E501:iso8602»)",
        "set x = time(note, «E501:'%Q'», zone: \"UTC\")",
        "set x = time(note, '%H', zone: «E204:note»)",
        "set x = «E204:time»(note)",
        "set x = format_time(at, '%H:%M')",
        "set x = format_time(«E204:note», '%H:%M')",
        "set x = trunc(at, 1h)",
        "set x = trunc(at, «E204:0s»)",
        "set x = trunc(at, «E204:5»)",
        "set x = redact(note, \"card\", \"iban\")",
        "set x = redact(note, «E204:\"cart\"»)",
        "set x = redact(note, «E204:shop»)",
        "set x = «E204:redact»(note)",
        "set x = redact(note, \"card\", \"iban\", \"email\", «E204:\"card\"»)",
        "set x = hmac(note, key: «E204:customers»)",
        "set x = «E204:hmac»(note)",
        "set x = sample(0.1, by: note)",
        "set x = sample(«E204:1.5», by: note)",
        "set x = sample(«E204:-1», by: note)",
        "set x = «E204:sample»(0.1)",
        "set x = salted(note, «E204:0»)",
        "set x = truncate(note, «E204:-1»)",
        "set x = substring(note, from: -4)",
        "set x = glob_capture(1)",
        "set x = glob_capture(«E204:2»)",
        "set x = captures(note, '(?<a>x)').a",
        "set x = captures(note, '(?<a>x)').«E201:b»",
        "set x = captures(note, «E205:'(x)'»)",
        "set x = parse_url(note).host",
        "set x = parse_url(note).«E201:hots»",
        "set x = parse_json(note).anything.at_all",
        "set x = «E202:protobuf»(*)",
        "drop \"old\" if age(at) > 7d",
        "set x = \"${«E301:parse_url(note).host»}\"",
    ])
    func `a call is held against its row of the catalogue`(line: String) {
        verify(Till.steps(line))
    }

    @Test func `a secret is known by its name, with dashes or without`() {
        let text = Till.steps("set x = hmac(note, key: a)\nset y = hmac(note, key: \"b-c\")").text
        let source = SourceText(path: "till.pipeline", text: text)
        var context = PipelineContext()
        context.secrets = ["a", "b-c"]
        #expect(PipelineCompiler.compile(source, in: context).diagnostics.isEmpty)
        context.secrets = ["ab"]
        let (_, diagnostics) = PipelineCompiler.compile(source, in: context)
        #expect(diagnostics.map(\.code) == [.wrongArgument, .wrongArgument])
    }

    @Test(arguments: [
        ("*", 1), ("/a/**/b/*.log", 2), ("/a/[*]/\\*/?", 0), ("{*.a,b*}", 2), ("[!]*]*", 1),
    ])
    func `stars of a glob are counted`(glob: String, count: Int) {
        #expect(GlobStars.count(in: glob) == count)
    }
}
