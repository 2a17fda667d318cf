internal import PipelineLanguage

/// Words of the language that are no functions: what each is for, and an example.
package enum WordKind: String, CaseIterable, Sendable {
    case statement
    case type
    case format
    case metadata
}

package struct WordPage: Sendable {
    package var word: String
    package var kind: WordKind
    package var summary: String
    package var example: String
}

extension WordPage {
    package static let all = statements + types + formats + metadata

    private static func statement(_ word: String, _ summary: String, _ example: String) -> Self {
        Self(word: word, kind: .statement, summary: summary, example: example)
    }

    private static let statements = [
        statement(
            "from",
            "where the bytes come from: globs, and settings of how files are read",
            "from \"/var/log/shop/*.log\" {\n  exclude = \"/var/log/shop/debug.log\"\n}"
        ),
        statement(
            "parse",
            "how a line becomes fields, and which types they have",
            "parse json {\n  id:   int\n  user: string?\n}"
        ),
        statement(
            "let",
            "names a value; it is not part of the record",
            "let parts = split(path, \"/\")"
        ),
        statement("set", "writes a field of the record", "set user.seen = true"),
        statement(
            "rename",
            "gives a field another name, or moves a member into a field and a field into an object",
            "rename user.name to customer"
        ),
        statement("keep", "leaves these fields in the record and no others", "keep id, user.name"),
        statement(
            "include",
            "the steps of another file, as if they stood here",
            "include \"lib/pii.steps\""
        ),
        statement("remove", "takes fields out of the record", "remove password, user.email"),
        statement(
            "drop",
            "the record ends here, counted under the reason",
            "drop \"health checks\" if path == \"/healthz\""
        ),
        statement(
            "reject",
            "the record fails here with this reason; `on error` decides what becomes of it",
            "reject \"no such plan\" if plan not in [\"free\", \"pro\"]"
        ),
        statement(
            "if",
            "the only branch; a record takes the first way whose condition holds",
            "if level == \"debug\" {\n  drop \"noise\"\n} else if level == \"error\" {\n"
                + "  set urgent = true\n}"
        ),
        statement(
            "send",
            "a Kafka record: topic, key, value, timestamp, partition, headers; all `send`s of a line"
                + " happen, or none; `send to archive { … }` goes to another cluster of forktail.conf",
            "send {\n  topic     = \"orders.${region}\"\n  key       = order_id\n"
                + "  timestamp = created_at\n  headers   { source = @host }\n  value     = json(*)\n}"
        ),
        statement(
            "on error",
            "what happens to a record that cannot be parsed, computed or sent:"
                + " `dead_letter \"topic\"`, `stop`, `skip`, or a block with its own `send`",
            "on error dead_letter \"orders.dead\""
        ),
        statement(
            "test",
            "an example that must hold: content of a file, and what comes of each line of it",
            "test \"debug is dropped\" {\n  input '''\n    {\"level\":\"debug\"}\n    '''\n"
                + "  expect drop \"noise\"\n}"
        ),
        statement(
            "match",
            "an expression: the first arm that fits gives the value",
            "set level = match {\n  status >= 500 => \"error\"\n  else          => \"info\"\n}"
        ),
        statement(
            "except",
            "an expression: an object without some of its members",
            "send {\n  topic = \"users\"\n  value = json(* except (password, user.email))\n}"
        ),
    ]

    private static func type(_ word: String, _ summary: String, _ example: String) -> Self {
        Self(word: word, kind: .type, summary: summary, example: example)
    }

    private static let types = [
        type("string", "text; an empty one is a value", "name: string"),
        type("int", "a whole number of 64 bits", "count: int"),
        type("decimal", "a number that keeps its digits as written: money", "amount: decimal"),
        type("float", "a floating-point number", "ratio: float"),
        type("bool", "`true` or `false`", "paid: bool?"),
        type(
            "time",
            "a moment; `iso8601`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or strptime's letters with a zone",
            "at: time('%d.%m.%Y %H:%M', zone: \"Europe/Berlin\")"
        ),
        type(
            "duration",
            "a length of time as `1h30m`, `250ms`; it is compared and computed with, and `int(…)`"
                + " makes whole seconds of it",
            "took: duration"
        ),
        type("bytes", "what stands there, text or not", "payload: bytes"),
        type(
            "object",
            "members with names, in JSON only; a member is `any?`, and there may be none",
            "user: object?"
        ),
        type(
            "enum",
            "one of these texts; a record with another one fails, and `match` has to cover all",
            "region: enum(\"eu\", \"us\")"
        ),
        type("list", "a list, in JSON only; each element has to be of its type", "tags: [string]"),
    ]

    private static func format(_ word: String, _ summary: String, _ example: String) -> Self {
        Self(word: word, kind: .format, summary: summary, example: example)
    }

    private static let formats = [
        format(
            "json",
            "one object a line; members that nobody declared travel along in `*`",
            "parse json {\n  id: int\n}"
        ),
        format(
            "csv",
            "rows with a header, or columns in their declared order; `header:`, `separator:`,"
                + " `quote:`",
            "parse csv(header: true, separator: \";\") {\n  id: int\n}"
        ),
        format("text", "the whole line is one column", "parse text {\n  line: string\n}"),
        format(
            "regex",
            "the named groups of a regular expression (PCRE2)",
            "parse regex('^(?<ip>\\S+) (?<ms>\\d+)$') {\n  ip: string\n  ms: int\n}"
        ),
        format(
            "logfmt",
            "pairs such as `level=info msg=\"two words\"`; members that nobody declared travel along"
                + " in `*`",
            "parse logfmt {\n  level: enum(\"info\", \"error\")\n  took:  duration?\n}"
        ),
        known(.nginxCombined, "nginx's `combined` log"),
        known(.apacheCombined, "Apache's `combined` log, whose requests need not be whole"),
        known(.apacheCommon, "Apache's `common` log"),
        known(.syslog, "RFC 5424 and RFC 3164, each line as the one or the other"),
        known(.cri, "what Kubernetes' container runtimes write; split lines are joined again"),
    ]

    private static func known(_ format: KnownFormat, _ summary: String) -> Self {
        let columns = format.columns.map { $0.name + ($0.type.isOptional ? "?" : "") }
        return Self.format(
            format.rawValue,
            "\(summary), with columns of its own: \(columns.joined(separator: " "))",
            "parse \(format.rawValue)"
        )
    }

    private static func meta(_ word: String, _ summary: String, _ example: String) -> Self {
        Self(word: word, kind: .metadata, summary: summary, example: example)
    }

    private static let metadata = [
        meta("@host", "the name of this host", "headers { source-host = @host }"),
        meta(
            "@path",
            "the absolute path under which reading of the file began; a rename does not change it",
            "headers { source-file = @path }"
        ),
        meta("@file", "the last part of `@path`", "key = @file"),
        meta("@line", "the number of the line in its file, from 1", "set line = @line"),
        meta("@offset", "bytes of the file before the record", "headers { offset = @offset }"),
        meta("@raw", "the bytes of the line or event as they stand in the file", "value = @raw"),
        meta(
            "@now",
            "the time of reading; in tests `given { @now = … }` sets it",
            "set read_at = @now"
        ),
        meta("@pipeline", "the name of the pipeline", "headers { pipeline = @pipeline }"),
        meta("@inode", "the inode of the file", "headers { inode = @inode }"),
        meta("@mtime", "when the file was last written", "set written = @mtime"),
        meta(
            "@env",
            "`@env.NAME`, a variable of the environment, read at the start; one that is not set"
                + " stops the start unless `??` gives a fallback",
            "set stage = @env.STAGE ?? \"dev\""
        ),
        meta(
            "@error.kind",
            "inside `on error`: `parse`, `reject`, `expr` or `kafka`",
            "headers { kind = @error.kind }"
        ),
        meta("@error.message", "inside `on error`: what was wrong", "value = @error.message"),
        meta(
            "@error.line",
            "inside `on error`: the number of the line",
            "key = string(@error.line)"
        ),
    ]
}
