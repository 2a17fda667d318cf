import Testing

@testable import PipelineLanguage

/// Good pipelines with one thing broken: there is one error, and it points at what was broken.
struct BrokenFilesTests {
    struct Mutation: CustomTestStringConvertible, Sendable {
        var file: Fixture.Name
        var original: String
        /// With the expected error written into it, as in `MarkedText`.
        var broken: String

        init(_ file: Fixture.Name, _ original: String, _ broken: String) {
            self.file = file
            self.original = original
            self.broken = broken
        }

        var testDescription: String { "\(file): \(original) → \(broken)" }
    }

    static let mutations: [Mutation] = [
        // Words, signs and texts.
        .init(.changes, "settle = 5s", "settle = «E101:5sec»"),
        .init(.services, "\"low\" and", "\"low\" «E101:&&»"),
        .init(.traces, "\"${@host}/${where}\"", "\"${@host}/«E101:${»where\""),
        .init(.tills, "\"/srv/till/receipt-*.csv\"", "«E101:\"/srv/till/receipt-*.csv»"),
        .init(.tills, "\"training\" if", "«E101:“»training" + "«E101:”» if"),
        .init(.traces, "lines[1] ?? null", "lines[1] ?? «E102:?» null"),
        .init(.tills, "state == \"training\"", "state «E106:=» \"training\""),
        .init(.proxy, "status >= 500 ", "400 < status «E105:<» 600 "),
        .init(.tills, "drop \"training\"", "«E103:dorp» \"training\""),
        .init(.tills, "set account", "«E103:sett» account"),
        .init(.tills, "from \"/srv", "«E103:form» \"/srv"),
        .init(.tills, "parse csv", "«E103:prase» csv"),
        .init(.tills, "on error dead", "«E103:no» error dead"),
        .init(.tills, "test \"a", "«E103:tset» \"a"),
        .init(.tills, "on error dead_letter", "on error «E103:dead_leter»"),
        .init(.proxy, "on error skip", "on error «E103:skp»"),
        .init(.changes, "on error stop", "on error «E103:stopp»"),
        .init(.tills, "input '''", "«E103:imput» '''"),
        .init(.tills, "expect nothing", "expect «E103:nothng»"),
        .init(.tills, "expect nothing", "«E103:expct» nothing"),
        .init(.services, "exclude =", "«E104:exlude» ="),
        .init(.proxy, "start = end", "start = «E104:middle»"),
        .init(.changes, "settle = 5s", "settle = «E104:5»"),
        .init(.traces, "starts_with('^\\d{4}-')", "«E104:start_with('^\\d{4}-')»"),
        .init(.services, "key = @file", "«E104:ky» = @file"),
        .init(.tills, "  headers {\n    trace-id", "  «E104:header» {\n    trace-id"),
        .init(.changes, "{ file: @file, line: @line }", "{ file: @file «E102:line»: @line }"),
        .init(.traces, "lines[0]", "lines[0«E102:)»"),
        .init(.proxy, "mask_ip(remote_addr)", "mask_ip(remote_addr «E102:level»)"),
        // Names.
        .init(.tills, "if state ==", "if «E201:stat» =="),
        .init(.tills, "\"till.${shop}\"", "\"till.${«E201:shpo»}\""),
        .init(.tills, "* except pin", "* except «E201:pni»"),
        .init(.services, "remove person.mail", "remove «E201:persn».mail"),
        .init(.proxy, "\"proxy.${level}\"", "\"proxy.${«E201:levle»}\""),
        .init(.changes, "(kind, at)", "(kind, «E201:att»)"),
        .init(.changes, "op = change.op", "op = change.«E201:pp»"),
        .init(.traces, "split(text", "split(«E201:txt»"),
        .init(.services, "value = @raw", "value = «E201:app»"),
        .init(.tills, "mask(account", "«E202:msk»(account"),
        .init(.traces, "lower(level)", "«E202:lwer»(level)"),
        .init(.services, "machine = @host", "machine = «E203:@hots»"),
        .init(.services, "@error.message", "«E203:@error.mesage»"),
        .init(.traces, "\"${@host}/", "\"${«E203:@error.kind»}/"),
        .init(.tills, "keep_last: 4", "«E204:keep_lst»: 4"),
        .init(.tills, "keep_last: 4", "keep_last: «E204:\"4\"»"),
        .init(.tills, "timestamp = at", "timestamp = «E204:state»"),
        .init(.tills, "json(* except pin)", "«E204:*»"),
        .init(.tills, "header: true", "header: «E204:yes»"),
        .init(.tills, "header: true", "«E204:heder»: true"),
        .init(.tills, "key   = \"7\"", "key   = «E204:receipt»"),
        .init(.tills, "zone: \"UTC\"", "«E204:zon»: \"UTC\""),
        .init(.traces, "zone: \"UTC\"", "zone: «E204:UTC»"),
        .init(.changes, "separator: \";\"", "separator: «E204:\";;\"»"),
        .init(.changes, "unix_ms(at)", "unix_ms(«E204:member»)"),
        .init(.services, "\"log.${app}\"", "\"log.${app.«E204:name»}\""),
        .init(.proxy, "mask_ip(remote_addr)", "mask_ip(«E204:status»)"),
        .init(.traces, "lines[0]", "lines[«E204:\"0\"»]"),
        .init(.traces, "enum(\"INFO\", \"WARN\")", "enum(\"INFO\", «E204:WARN»)"),
        .init(.traces, "'^([\\w.$]+)'", "«E205:'^[\\w.$]+'»"),
        .init(.traces, "level: enum", "«E205:levle»: string\n  level: enum"),
        .init(.tills, "parse csv(", "parse «E206:cvs»("),
        .init(.proxy, "parse nginx_combined", "parse «E206:nginx_combine»"),
        .init(.tills, "receipt: int", "receipt: «E207:itn»"),
        .init(.changes, "tier:   enum(\"plain\", \"gold\")?", "tier:   «E207:[string]»"),
        // Types and values.
        .init(.tills, "\"till.${shop}\"", "\"till.${«E301:pin»}\""),
        .init(.tills, "key       = receipt", "key       = «E301:trace»"),
        .init(.services, "key = request ?? @host", "key = «E301:request»"),
        .init(.proxy, "status >= 500 ", "«E302:status» "),
        .init(.services, "app != \"pay\"", "«E303:app != 5»"),
        .init(.proxy, "path =~", "«E303:status» =~"),
        .init(.proxy, "status >= 500 ", "«E303:status >= \"500\"» "),
        .init(.proxy, "status in [401, 403]", "status in «E303:403»"),
        .init(.services, "level == \"low\"", "level == «E304:\"lo\"»"),
        .init(.changes, "if kind == \"D\"", "if kind == «E304:\"d\"»"),
        .init(.changes, "{ \"D\" => null", "{ «E304:\"X\"» => null"),
        .init(
            .changes,
            "match kind { \"I\" => \"c\", \"U\" => \"u\", \"D\" => \"d\" }",
            "«E305:match kind { \"I\" => \"c\", \"U\" => \"u\" }»"
        ),
        // The whole.
        .init(.tills, "on error dead_letter \"till.dead\"\n", ""),
        .init(.changes, "json({ member })  value = null", "json({ member })"),
        .init(.proxy, "value = json(*)\n", "«E404:topic» = \"t\"  value = json(*)\n"),
        .init(.proxy, "from = referer", "«E404:level» = referer"),
        .init(.tills, "\"harbour\")", "\"harbour\", «E404:\"north\"»)"),
        .init(.tills, "time('%Y-%m-%d %H:%M:%S', zone: \"UTC\")", "«E501:time»"),
        .init(.services, "time(iso8601)", "time(«E501:iso8602»)"),
        .init(.traces, "%S,%3f'", "%S,%3q'"),
        .init(
            .tills,
            "time('%Y-%m-%d %H:%M:%S', zone: \"UTC\")",
            "time(«E502:'%Y-%m-%d %H:%M:%S'»)"
        ),
        .init(.tills, "\"till.${shop}\"", "«E601:\"till/${shop}\"»"),
        .init(.tills, "trace-id  =", "«E602:\"\"»  ="),
    ]

    /// Where the error is about what is not there, it points at what lacks it.
    private static let elsewhere = [
        "on error dead_letter \"till.dead\"\n": "E403:parse",
        "json({ member })  value = null": "E405:send",
        "%S,%3f'": "E501:'%Y-%m-%d %H:%M:%S,%3q'",
    ]

    @Test(arguments: mutations)
    func `the error points at what was broken`(mutation: Mutation) throws {
        let text = mutation.file.text
        let ranges = text.ranges(of: mutation.original)
        let range = try #require(ranges.first, "\(mutation.original) is not in the file")
        let marked = MarkedText(text.replacingCharacters(in: range, with: mutation.broken))
        if let expected = Self.elsewhere[mutation.original] {
            #expect(marked.found.map { "\($0.code):\($0.text)" } == [expected])
        } else {
            #expect(marked.found == marked.marks)
        }
    }

    @Test func `each code of an error that a text can have is in the table`() {
        let texts = Self.mutations.map(\.broken) + Self.elsewhere.values
        let covered = Set(
            DiagnosticCode.allCases.filter { code in
                texts.contains { $0.contains(code.rawValue + ":") }
            }
        )
        let errors = Set(DiagnosticCode.allCases.filter { $0.severity == .error })
        // Of these, others write: no clusters or files are here, and no way that ends nowhere.
        let others: Set<DiagnosticCode> = [
            .unknownCluster, .badInclude, .missingPart, .openEnd, .notRemakeable, .absentTopic,
            .absentPartition, .noRight,
        ]
        #expect(errors.subtracting(covered) == others)
    }
}

extension Fixture {
    enum Name: String, CaseIterable, Sendable {
        case tills, services, proxy, changes, traces

        var text: String { Fixture.all[Self.allCases.firstIndex(of: self) ?? 0] }
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
        self[..<range.lowerBound] + text + self[range.upperBound...]
    }
}
