/// Reads the JSON form of a pipeline back into its tree.
struct SyntaxDecoder {
    func file(_ tree: JSONTree) throws(ExportError) -> SyntaxFile {
        let root = JSONPlace(tree, at: "the pipeline")
        guard case .integer(SyntaxEncoder.version)? = try root.optional("version")?.tree else {
            throw ExportError("\"version\" must be \(SyntaxEncoder.version)")
        }
        try root.allow("version", "pipeline", "from", "parse", "steps", "on_error", "tests")
        var file = SyntaxFile()
        file.from = try root.list("from", from)
        file.parse = try root.list("parse", parse)
        file.steps = try root.list("steps", step)
        file.errorPolicies = try root.list("on_error", policy)
        file.tests = try root.list("tests", test)
        return file
    }

    // MARK: from and parse

    private func from(_ place: JSONPlace) throws(ExportError) -> FromSyntax {
        try place.allow("globs", "settings")
        return FromSyntax(
            globs: try place.list("globs") { (glob) throws(ExportError) in try glob.name() },
            settings: try place.list("settings", setting),
            span: Span(0, 0)
        )
    }

    private func setting(_ place: JSONPlace) throws(ExportError) -> SettingSyntax {
        try place.allow("name", "value")
        return SettingSyntax(
            name: try place.member("name").name(),
            value: try expression(place.member("value"))
        )
    }

    private func parse(_ place: JSONPlace) throws(ExportError) -> ParseSyntax {
        try place.allow("format", "arguments", "columns")
        return ParseSyntax(
            format: try place.member("format").word(),
            arguments: try place.list("arguments", argument),
            columns: try place.has("columns") ? place.list("columns", column) : nil,
            span: Span(0, 0)
        )
    }

    private func column(_ place: JSONPlace) throws(ExportError) -> ColumnSyntax {
        try place.allow("name", "type")
        return ColumnSyntax(
            name: try place.member("name").fieldName(),
            type: try type(place.member("type"))
        )
    }

    private func type(_ place: JSONPlace) throws(ExportError) -> TypeSyntax {
        try place.allow("name", "arguments", "list_of", "optional")
        let element = try place.optional("list_of")
        return TypeSyntax(
            name: try element == nil
                ? place.member("name").word() : Name(text: "[]", span: Span(0, 0)),
            arguments: try place.list("arguments", argument),
            element: try element.map { (place) throws(ExportError) in [try type(place)] } ?? [],
            isOptional: try place.optional("optional")?.bool() ?? false,
            span: Span(0, 0)
        )
    }

    private func argument(_ place: JSONPlace) throws(ExportError) -> ArgumentSyntax {
        try place.allow("label", "value")
        return ArgumentSyntax(
            label: try place.optional("label")?.fieldName(),
            value: try expression(place.member("value"))
        )
    }

    // MARK: Steps

    private func step(_ place: JSONPlace) throws(ExportError) -> StepSyntax {
        StepSyntax(kind: try stepKind(place), keyword: Span(0, 0), span: Span(0, 0))
    }

    private func stepKind(_ place: JSONPlace) throws(ExportError) -> StepSyntax.Kind {
        switch try place.member("do").string() {
        case "let":
            try place.allow("do", "name", "value")
            return .let(
                try place.member("name").fieldName(),
                try expression(place.member("value"))
            )
        case "set":
            try place.allow("do", "path", "value")
            return .set(try path(place.member("path")), try expression(place.member("value")))
        case "remove":
            try place.allow("do", "paths")
            return .remove(try place.list("paths", path))
        case "rename":
            try place.allow("do", "path", "to")
            return .rename(try path(place.member("path")), to: try path(place.member("to")))
        case "keep":
            try place.allow("do", "paths")
            return .keep(try place.list("paths", path))
        case "include":
            try place.allow("do", "file")
            let file = try place.member("file").string()
            return .include(Name(text: file, span: Span(0, 0)))
        case "drop":
            let (reason, condition) = try end(place)
            return .drop(reason: reason, condition: condition)
        case "reject":
            let (reason, condition) = try end(place)
            guard let reason else { throw place.wrong("a `reject` needs a \"reason\"") }
            return .reject(reason: reason, condition: condition)
        case "if":
            try place.allow("do", "branches", "else")
            let otherwise = try place.has("else") ? place.list("else", step) : nil
            return .if(try place.list("branches", branch), otherwise: otherwise)
        case "send":
            try place.allow("do", "to", "record")
            return .send(try addressed(place))
        case let word:
            throw place.wrong("there is no statement \"\(word)\"")
        }
    }

    /// The member `record`, for the cluster that `to` names.
    private func addressed(_ place: JSONPlace) throws(ExportError) -> SendSyntax {
        var send = try record(place.member("record"))
        send.cluster = try place.optional("to")?.name()
        return send
    }

    private func end(_ place: JSONPlace) throws(ExportError) -> (Name?, ExpressionSyntax?) {
        try place.allow("do", "reason", "if")
        return (try place.optional("reason")?.name(), try optionalExpression("if", of: place))
    }

    private func branch(_ place: JSONPlace) throws(ExportError) -> BranchSyntax {
        try place.allow("if", "steps")
        return BranchSyntax(
            condition: try expression(place.member("if")),
            steps: try place.list("steps", step),
            span: Span(0, 0)
        )
    }

    private func path(_ place: JSONPlace) throws(ExportError) -> PathSyntax {
        let names = try place.elements { (name) throws(ExportError) in try name.fieldName() }
        guard !names.isEmpty else { throw place.wrong("a path has at least one name") }
        return PathSyntax(names: names, span: Span(0, 0))
    }

    private func record(_ place: JSONPlace) throws(ExportError) -> SendSyntax {
        try place.allow("lines", "headers", "value_has")
        let lines = try place.list("lines") { (line) throws(ExportError) in
            let setting = try setting(line)
            guard Parser.sendWords.dropLast().contains(setting.name.text) else {
                throw line.wrong("a record has no \"\(setting.name.text)\"")
            }
            return SendSyntax.Line(keyword: setting.name, value: setting.value)
        }
        return SendSyntax(
            lines: lines,
            headers: try place.list("headers", setting),
            valueMembers: try optionalExpression("value_has", of: place)
        )
    }

    // MARK: on error, test

    private func policy(_ place: JSONPlace) throws(ExportError) -> ErrorPolicySyntax {
        try place.allow("do", "topic", "steps")
        let kind: ErrorPolicySyntax.Kind
        switch try place.member("do").string() {
        case "dead_letter": kind = .deadLetter(try expression(place.member("topic")))
        case "stop": kind = .stop
        case "skip": kind = .skip
        case "steps": kind = .steps(try place.list("steps", step))
        case let word: throw place.wrong("`on error` cannot \"\(word)\"")
        }
        return ErrorPolicySyntax(kind: kind, span: Span(0, 0))
    }

    private func test(_ place: JSONPlace) throws(ExportError) -> TestSyntax {
        try place.allow("name", "given", "input", "expect")
        let given = try place.list("given") { (entry) throws(ExportError) in
            let setting = try setting(entry)
            try entry.checkMeta(
                setting.name.text.split(separator: ".", omittingEmptySubsequences: false)
            )
            return TestSyntax.Given(meta: setting.name, value: setting.value)
        }
        return TestSyntax(
            name: try place.member("name").name(),
            given: given,
            input: try place.member("input").name(),
            expectations: try place.list("expect", expectation)
        )
    }

    private func expectation(_ place: JSONPlace) throws(ExportError) -> TestSyntax.Expectation {
        try place.allow("outcome", "to", "record", "reason", "message")
        let kind: TestSyntax.Expectation.Kind
        switch try place.member("outcome").string() {
        case "record": kind = .record(try addressed(place))
        case "drop": kind = .drop(try place.optional("reason")?.string())
        case "dead_letter": kind = .deadLetter(try place.optional("message")?.string())
        case "nothing": kind = .nothing
        case let word: throw place.wrong("a test cannot expect \"\(word)\"")
        }
        return TestSyntax.Expectation(kind: kind, span: Span(0, 0))
    }

    // MARK: Expressions

    private func optionalExpression(
        _ name: String,
        of place: JSONPlace
    ) throws(ExportError) -> ExpressionSyntax? {
        guard let member = try place.optional(name) else { return nil }
        return try expression(member)
    }

    private func expression(_ place: JSONPlace) throws(ExportError) -> ExpressionSyntax {
        ExpressionSyntax(kind: try kind(place), span: Span(0, 0), depth: 1)
    }

    private func kind(_ place: JSONPlace) throws(ExportError) -> ExpressionSyntax.Kind {
        switch place.tree {
        case .null: return .literal(.null)
        case .bool(let value): return .literal(.bool(value))
        case .integer(let value): return .literal(.int(value))
        case .string(let text): return .literal(.string(text))
        case .array: throw place.wrong("a list is written {\"list\": […]}")
        case .object(let members):
            guard let name = members.first?.name else {
                throw place.wrong("an empty object is written {\"object\": []}")
            }
            if let kind = try simpleKind(name, place) { return kind }
            return try compoundKind(name, place)
        }
    }

    /// What has one member, its name being the first.
    private func simpleKind(
        _ name: String,
        _ place: JSONPlace
    ) throws(ExportError) -> ExpressionSyntax.Kind? {
        let kind: ExpressionSyntax.Kind
        switch name {
        case "decimal": kind = .literal(.decimal(try place.member(name).decimal()))
        case "milliseconds":
            kind = .literal(.duration(.milliseconds(try place.member(name).count())))
        case "bytes":
            let count = try place.member(name).count()
            guard count.isMultiple(of: 1024) else { throw place.wrong("\"bytes\" come in KiB") }
            kind = .byteCount(count)
        case "computed": kind = .computed(try place.list(name, segment))
        case "field": kind = .name(try place.member(name).fieldName().text)
        case "all_fields": kind = .allFields
        case "meta":
            let path = try place.list(name) { (word) throws(ExportError) in try word.string() }
            try place.checkMeta(path.map { $0[...] })
            kind = .meta(path)
        case "list": kind = .list(try place.list(name, expression))
        case "object": kind = .object(try place.list(name, member))
        case "not": kind = .unary(.not, try expression(place.member(name)))
        case "negate": kind = .unary(.negate, try expression(place.member(name)))
        default: return nil
        }
        try place.allow(name)
        return kind
    }

    private func compoundKind(
        _ name: String,
        _ place: JSONPlace
    ) throws(ExportError) -> ExpressionSyntax.Kind {
        switch name {
        case "match":
            try place.allow(name, "subject", "else")
            return .match(
                subject: try optionalExpression("subject", of: place),
                try place.list(name, arm),
                otherwise: try optionalExpression("else", of: place)
            )
        case "call":
            try place.allow(name, "arguments")
            return .call(try place.member(name).word(), try place.list("arguments", argument))
        case "member":
            try place.allow(name, "of")
            return .member(
                try expression(place.member("of")),
                try place.member(name).fieldName()
            )
        case "index":
            try place.allow(name, "of")
            return .index(
                try expression(place.member("of")),
                try expression(place.member(name))
            )
        case "except":
            try place.allow(name, "of")
            return .except(try expression(place.member("of")), try place.list(name, path))
        case "operator": return try infix(place)
        default: throw place.wrong("there is no value \"\(name)\"")
        }
    }

    private func infix(_ place: JSONPlace) throws(ExportError) -> ExpressionSyntax.Kind {
        try place.allow("operator", "left", "right")
        let left = try expression(place.member("left"))
        let right = try expression(place.member("right"))
        let sign = try place.member("operator").string()
        switch sign {
        case "??": return .coalesce(left, right)
        case "=~", "!~": return .regexMatch(left, right, negated: sign == "!~")
        default: break
        }
        guard let operation = BinaryOperator(rawValue: sign) else {
            throw place.wrong("there is no operator \"\(sign)\"")
        }
        return .binary(operation, left, right)
    }

    private func segment(_ place: JSONPlace) throws(ExportError) -> ExpressionSyntax.Segment {
        try place.allow("text", "value")
        if let text = try place.optional("text") { return .text(try text.string()) }
        return .expression(try expression(place.member("value")))
    }

    private func member(_ place: JSONPlace) throws(ExportError) -> ExpressionSyntax.Member {
        try place.allow("name", "value")
        let value = try optionalExpression("value", of: place)
        let name = try place.member("name")
        return .init(name: try value == nil ? name.fieldName() : name.name(), value: value)
    }

    private func arm(_ place: JSONPlace) throws(ExportError) -> ExpressionSyntax.Arm {
        try place.allow("values", "result")
        let patterns = try place.list("values", expression)
        guard !patterns.isEmpty else { throw place.wrong("\"values\" must not be empty") }
        return .init(
            patterns: patterns,
            result: try expression(place.member("result")),
            span: Span(0, 0)
        )
    }
}
