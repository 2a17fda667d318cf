extension Parser {
    static let statements = [
        "from", "parse", "let", "set", "remove", "rename", "keep", "drop", "reject", "if",
        "include", "send", "on", "test",
    ]
    static let formats =
        ["json", "csv", "text", "regex", "logfmt"] + KnownFormat.allCases.map(\.rawValue)

    /// Reads a whole file.
    mutating func file() -> SyntaxFile {
        var file = SyntaxFile()
        file.start = current.span
        while !current.isEnd {
            let start = index
            marks.entries.insert(index)
            do {
                try item(into: &file)
                try expectStatementEnd()
            } catch {
                file.broken.formUnion(meanings(of: tokens[start].word))
                recover(from: start)
                if index == start { advance() }
            }
        }
        return file
    }

    /// Reads an included file: steps and nothing else.
    ///
    /// - Parameter broken: gets the words of statements that could not be read.
    mutating func includedSteps(broken: inout Set<String>) -> [StepSyntax] {
        var steps: [StepSyntax] = []
        while !current.isEnd {
            let start = index
            do {
                try refuseTopLevelItem()
                steps.append(try step())
                try expectStatementEnd()
            } catch {
                broken.formUnion(meanings(of: tokens[start].word))
                let span = tokens[start].span
                steps.append(StepSyntax(kind: .broken, keyword: span, span: span))
                recover(from: start)
                if index == start { advance() }
            }
        }
        return steps
    }

    /// The statements that a word stands for that begins one which could not be read.
    private func meanings(of word: String?) -> [String] {
        guard let word else { return [""] }
        return [word] + [SpellingHelp.nearest(to: word, in: Self.statements)].compactMap(\.self)
    }

    private mutating func refuseTopLevelItem() throws(Failure) {
        guard let word = current.word, ["from", "parse", "on", "test"].contains(word) else {
            return
        }
        let message = "an included file has steps only"
        let help = "move this `\(word)` into the pipeline"
        defer { advance() }
        throw fail(.syntax, message, at: current.span, help: help)
    }

    private mutating func item(into file: inout SyntaxFile) throws(Failure) {
        if let word = current.word, word == "from" || word == "parse", !file.steps.isEmpty {
            report(Diagnostic(.syntax, "`\(word)` comes before the steps", at: current.span))
        }
        switch current.word {
        case "from": file.from.append(try from())
        case "parse": file.parse.append(try parse())
        case "on": file.errorPolicies.append(try errorPolicy())
        case "test": file.tests.append(try test())
        default: file.steps.append(try step())
        }
    }

    private mutating func expectStatementEnd() throws(Failure) {
        let ends = current.startsLine || current.isEnd || current.sign == .closeBrace
        guard ends else {
            throw fail(
                .syntax,
                "\(current.description) does not belong to this statement",
                at: current.span,
                help: "begin the next statement on a new line"
            )
        }
    }

    // MARK: from and parse

    private mutating func from() throws(Failure) -> FromSyntax {
        let start = current.span
        advance()
        var globs = [try expectText("the path of the files, in quotes")]
        while skip(.comma) { globs.append(try expectText("the path of the files, in quotes")) }
        var settings: [SettingSyntax] = []
        if isSameLine, current.sign == .openBrace {
            _ = try braced("to begin the settings") { (parser) throws(Failure) in
                settings.append(try parser.setting("a setting"))
            }
        }
        return FromSyntax(globs: globs, settings: settings, span: start)
    }

    /// Reads `some-name = value`, as in settings and headers.
    private mutating func setting(_ what: String) throws(Failure) -> SettingSyntax {
        let name = try dashedName(what)
        try expect(.assign, "after `\(name.text)`")
        return SettingSyntax(name: name, value: expressionOrBroken())
    }

    mutating func dashedName(_ what: String) throws(Failure) -> Name {
        if case .string = current.kind { return try expectText(what) }
        var name = try expectName(what)
        while current.sign == .minus || current.sign == .dot,
            current.span.start == name.span.end, following.span.start == current.span.end
        {
            let joint = current.sign == .dot ? "." : "-"
            marks.attached.formUnion([index, index + 1])
            advance()
            let part = try dashedPart()
            name = Name(text: name.text + joint + part.text, span: name.span.joined(to: part.span))
        }
        return name
    }

    private mutating func dashedPart() throws(Failure) -> Name {
        guard case .integer(let number) = current.kind else { return try expectName("a name") }
        defer { advance() }
        return Name(text: "\(number)", span: current.span)
    }

    private mutating func parse() throws(Failure) -> ParseSyntax {
        let start = current.span
        advance()
        let format = try expectName("a format, such as `json`")
        let arguments = isSameLine && current.sign == .openParen ? try self.arguments() : []
        var columns: [ColumnSyntax]?
        if isSameLine, current.sign == .openBrace {
            var read: [ColumnSyntax] = []
            marks.lists.insert(index)
            _ = try braced("to begin the columns") { (parser) throws(Failure) in
                try parser.column(into: &read)
            }
            columns = read
        }
        return ParseSyntax(format: format, arguments: arguments, columns: columns, span: start)
    }

    private mutating func column(into columns: inout [ColumnSyntax]) throws(Failure) {
        let name = try expectName("the name of a column")
        columns.append(ColumnSyntax(name: name, type: nil))
        try expect(.colon, "and a type after this column")
        columns[columns.count - 1].type = try type()
        guard current.startsLine || current.sign == .comma || current.sign == .closeBrace else {
            throw unexpected("a new line after this column")
        }
    }

    private mutating func type() throws(Failure) -> TypeSyntax {
        let start = current.span
        guard !skip(.openBracket) else {
            let element = try nested { (parser) throws(Failure) in try parser.type() }
            try expect(.closeBracket, "after the type of the elements")
            let name = Name(text: "[]", span: start.joined(to: previousSpan))
            return finishType(name, [], [element])
        }
        let name = try expectName("a type, such as `string`")
        let arguments = isSameLine && current.sign == .openParen ? try self.arguments() : []
        return finishType(name, arguments, [])
    }

    private mutating func finishType(
        _ name: Name,
        _ arguments: [ArgumentSyntax],
        _ element: [TypeSyntax]
    ) -> TypeSyntax {
        let isOptional = isSameLine && skip(.question)
        return TypeSyntax(
            name: name,
            arguments: arguments,
            element: element,
            isOptional: isOptional,
            span: name.span.joined(to: previousSpan)
        )
    }

    // MARK: Steps

    private mutating func steps(_ what: String) throws(Failure) -> [StepSyntax] {
        var steps: [StepSyntax] = []
        _ = try braced(what, holdsStatements: true) { (parser) throws(Failure) in
            let start = parser.current.span
            do throws(Failure) {
                steps.append(try parser.step())
                try parser.expectStatementEnd()
            } catch {
                steps.append(StepSyntax(kind: .broken, keyword: start, span: start))
                throw error
            }
        }
        return steps
    }

    private mutating func step() throws(Failure) -> StepSyntax {
        let keyword = current.span
        let kind = try nested { (parser) throws(Failure) in try parser.stepKind() }
        return StepSyntax(kind: kind, keyword: keyword, span: keyword.joined(to: previousSpan))
    }

    private mutating func stepKind() throws(Failure) -> StepSyntax.Kind {
        guard let word = current.word else { throw unknownStatement() }
        let isAssignment = following.sign == .assign && word != "send"
        guard Self.statements.contains(word), !isAssignment else { throw unknownStatement() }
        let keyword = current.span
        advance()
        switch word {
        case "let": return try letStep()
        case "set": return try setStep()
        case "remove": return .remove(try paths())
        case "rename": return try renameStep()
        case "keep": return .keep(try paths())
        case "include": return .include(try expectText("the path of a file, in quotes,"))
        case "drop": return try dropStep()
        case "reject": return try rejectStep()
        case "if": return try ifStep(keyword)
        case "send": return try sendStep()
        default:
            let help = "move it out of the braces"
            throw fail(.syntax, "`\(word)` stands at the top of a file", at: keyword, help: help)
        }
    }

    private mutating func unknownStatement() -> Failure {
        guard case .name(let word, _) = current.kind else { return unexpected("a statement") }
        var help = SpellingHelp.suggestion(for: word, in: Self.statements)
        if following.sign == .assign || following.sign == .dot {
            help = "to write a field: `set \(word) = …`"
        } else if word == "else" {
            help = "`else` follows the `}` of its `if`, on the same line"
        }
        let message = "unknown statement `\(word)`"
        return fail(.unknownStatement, message, at: current.span, help: help)
    }

    private mutating func letStep() throws(Failure) -> StepSyntax.Kind {
        let name = try expectName("a name after `let`")
        try expect(.assign, "after `\(name.text)`")
        return .let(name, expressionOrBroken())
    }

    private mutating func setStep() throws(Failure) -> StepSyntax.Kind {
        let path = try path()
        try expect(.assign, "after the field")
        return .set(path, expressionOrBroken())
    }

    private mutating func renameStep() throws(Failure) -> StepSyntax.Kind {
        let source = try path()
        guard isSameLine, skip(word: "to") else {
            throw unexpected("`to` and the new name after this field")
        }
        return .rename(source, to: try path())
    }

    private mutating func paths() throws(Failure) -> [PathSyntax] {
        var paths = [try path()]
        while skip(.comma) { paths.append(try path()) }
        return paths
    }

    private mutating func dropStep() throws(Failure) -> StepSyntax.Kind {
        var reason: Name?
        if isSameLine, current.word != "if", current.sign != .closeBrace, !current.isEnd {
            reason = try expectText("the reason, in quotes,")
        }
        return .drop(reason: reason, condition: try trailingCondition())
    }

    private mutating func rejectStep() throws(Failure) -> StepSyntax.Kind {
        let reason = try expectText("the reason, in quotes,")
        return .reject(reason: reason, condition: try trailingCondition())
    }

    private mutating func trailingCondition() throws(Failure) -> ExpressionSyntax? {
        guard isSameLine, skip(word: "if") else { return nil }
        return expressionOrBroken()
    }

    private mutating func ifStep(_ keyword: Span) throws(Failure) -> StepSyntax.Kind {
        var branches = [try branch(keyword)]
        while current.word == "else", isSameLine {
            let start = current.span
            advance()
            guard skip(word: "if") else {
                return .if(branches, otherwise: try steps("after `else`"))
            }
            branches.append(try branch(start.joined(to: previousSpan)))
        }
        return .if(branches, otherwise: nil)
    }

    private mutating func branch(_ keyword: Span) throws(Failure) -> BranchSyntax {
        let condition = expressionOrBroken()
        let steps = try steps("after the condition")
        return BranchSyntax(condition: condition, steps: steps, span: keyword)
    }

    // MARK: send

    private mutating func sendStep() throws(Failure) -> StepSyntax.Kind {
        .send(try record(isExpectation: false))
    }

    /// Reads what follows `send` or `expect`: the cluster, if one is named, and the block.
    private mutating func record(isExpectation: Bool) throws(Failure) -> SendSyntax {
        let cluster = skip(word: "to") ? try dashedName("the name of a cluster") : nil
        var record = try recordLines(Self.sendWords, isExpectation: isExpectation)
        record.cluster = cluster
        return record
    }

    static let sendWords = ["topic", "key", "value", "timestamp", "partition", "headers"]

    /// Reads the block of a `send` or an `expect`.
    mutating func recordLines(
        _ words: [String],
        isExpectation: Bool
    ) throws(Failure) -> SendSyntax {
        var send = SendSyntax()
        let isWhole = try braced("to begin the record") { (parser) throws(Failure) in
            try parser.recordLine(words, isExpectation: isExpectation, into: &send)
        }
        send.isBroken = send.isBroken || !isWhole
        return send
    }

    private mutating func recordLine(
        _ words: [String],
        isExpectation: Bool,
        into send: inout SendSyntax
    ) throws(Failure) {
        let keyword = try expectName("`topic`, `key`, `value`, `timestamp` or `headers`")
        guard words.contains(keyword.text) else {
            let help = SpellingHelp.suggestion(for: keyword.text, in: words)
            let message = "a record has no `\(keyword.text)`"
            throw fail(
                .unknownSetting,
                message,
                at: keyword.span,
                help: help ?? "it has topic, key, value, timestamp, partition and headers"
            )
        }
        if keyword.text == "headers" {
            try headers(into: &send)
        } else if isExpectation, keyword.text == "value", skip(word: "has") {
            send.valueMembers = expressionOrBroken()
        } else {
            try expect(.assign, "after `\(keyword.text)`")
            send.lines.append(.init(keyword: keyword, value: expressionOrBroken()))
        }
    }

    private mutating func headers(into send: inout SendSyntax) throws(Failure) {
        var headers: [SettingSyntax] = []
        let isWhole = try braced("after `headers`") { (parser) throws(Failure) in
            headers.append(try parser.setting("the name of a header"))
        }
        send.headers += headers
        if !isWhole { send.isBroken = true }
    }

    // MARK: on error

    mutating func errorPolicy() throws(Failure) -> ErrorPolicySyntax {
        let start = current.span
        advance()
        guard skip(word: "error") else { throw unexpected("`error` after `on`") }
        let span = start.joined(to: previousSpan)
        if current.sign == .openBrace {
            let steps = try nested { (parser) throws(Failure) in
                try parser.steps("after `on error`")
            }
            return ErrorPolicySyntax(kind: .steps(steps), span: span)
        }
        let word = try expectName("`dead_letter`, `stop`, `skip` or `{`")
        switch word.text {
        case "dead_letter":
            return ErrorPolicySyntax(kind: .deadLetter(expressionOrBroken()), span: span)
        case "stop": return ErrorPolicySyntax(kind: .stop, span: span)
        case "skip": return ErrorPolicySyntax(kind: .skip, span: span)
        default:
            let words = ["dead_letter", "stop", "skip"]
            let help = SpellingHelp.suggestion(for: word.text, in: words)
            throw fail(
                .unknownStatement,
                "`on error` cannot `\(word.text)`",
                at: word.span,
                help: help ?? "it can `dead_letter \"TOPIC\"`, `stop`, `skip` or `{ … send … }`"
            )
        }
    }

    // MARK: test

    private mutating func test() throws(Failure) -> TestSyntax {
        advance()
        let name = try expectText("the name of the test, in quotes,")
        var test = TestSyntax(name: name, input: Name(text: "", span: name.span))
        var hasInput = false
        let isWhole = try braced("to begin the test") { (parser) throws(Failure) in
            try parser.testEntry(into: &test, hasInput: &hasInput)
        }
        guard isWhole else { return test }
        guard hasInput else {
            throw fail(
                .syntax,
                "this test has no `input`",
                at: name.span,
                help: "write the content of a file: `input '''` … `'''`"
            )
        }
        return test
    }

    private mutating func testEntry(
        into test: inout TestSyntax,
        hasInput: inout Bool
    ) throws(Failure) {
        let word = try expectName("`given`, `input` or `expect`")
        switch word.text {
        case "given": try given(into: &test)
        case "input":
            hasInput = true
            test.input = try expectText("the content of a file, in quotes,")
        case "expect": test.expectations.append(try expectation(word.span))
        default:
            let words = ["given", "input", "expect"]
            throw fail(
                .unknownStatement,
                "a test has no `\(word.text)`",
                at: word.span,
                help: SpellingHelp.suggestion(for: word.text, in: words)
                    ?? "it has `given`, `input` and `expect`"
            )
        }
    }

    private mutating func given(into test: inout TestSyntax) throws(Failure) {
        var entries: [TestSyntax.Given] = []
        let isWhole = try braced("after `given`") { (parser) throws(Failure) in
            guard case .meta(let path) = parser.current.kind else {
                throw parser.unexpected("an `@name`")
            }
            let meta = Name(text: path.joined(separator: "."), span: parser.current.span)
            parser.advance()
            try parser.expect(.assign, "after `@\(meta.text)`")
            entries.append(.init(meta: meta, value: parser.expressionOrBroken()))
        }
        guard isWhole else { throw Failure() }
        test.given += entries
    }

    private mutating func expectation(
        _ keyword: Span
    ) throws(Failure) -> TestSyntax.Expectation {
        if current.sign == .openBrace || current.word == "to" {
            let record = try record(isExpectation: true)
            return .init(kind: .record(record), span: keyword.joined(to: previousSpan))
        }
        let word = try expectName("`{`, `to`, `drop`, `dead_letter` or `nothing`")
        switch word.text {
        case "drop": return .init(kind: .drop(try optionalText()), span: keyword)
        case "dead_letter": return .init(kind: .deadLetter(try optionalText()), span: keyword)
        case "nothing": return .init(kind: .nothing, span: keyword)
        default:
            throw fail(
                .unknownStatement,
                "a test cannot expect `\(word.text)`",
                at: word.span,
                help: "it can expect `{ … }`, `drop`, `dead_letter` or `nothing`"
            )
        }
    }

    private mutating func optionalText() throws(Failure) -> String? {
        guard isSameLine, case .string = current.kind else { return nil }
        return try expectText("a text").text
    }
}
