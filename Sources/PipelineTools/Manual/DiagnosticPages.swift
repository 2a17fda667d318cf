package import PipelineLanguage

private typealias Page = DiagnosticPage

private func steps(_ wrong: String, _ right: String) -> Page.Examples {
    Page.Examples(frame: .steps, wrong: wrong, right: right)
}

private func parse(_ wrong: String, _ right: String) -> Page.Examples {
    Page.Examples(frame: .parse, wrong: wrong, right: right)
}

private func send(_ wrong: String, _ right: String) -> Page.Examples {
    Page.Examples(frame: .send, wrong: wrong, right: right)
}

private func file(_ wrong: String, _ right: String) -> Page.Examples {
    Page.Examples(frame: .file, wrong: wrong, right: right)
}

extension DiagnosticCode {
    /// The page of the manual; a code without one does not compile.
    package var page: DiagnosticPage {
        switch self {
        case .badCharacters, .syntax, .unknownStatement, .unknownSetting, .chainedComparison,
            .assignmentInCondition:
            textPage
        case .unknownField, .unknownFunction, .unknownMetadata, .wrongArgument, .missingGroup,
            .unknownFormat, .unknownType, .unknownCluster, .untyped, .inherited:
            namePage
        case .possiblyMissing, .notACondition, .unlikeTypes, .impossibleValue, .uncoveredValue:
            valuePage
        case .missingPart, .openEnd, .noErrorPolicy, .repeated, .incompleteSend, .badInclude:
            wholePage
        case .noTimeFormat, .noTimeZone, .badTopic, .badHeader, .notRemakeable, .uncheckedTopic,
            .unused, .doubtful:
            recordPage
        case .absentTopic, .absentPartition, .noRight, .noReadRight, .unaskedTopic:
            clusterPage
        }
    }

    // MARK: E1xx

    private var textPage: DiagnosticPage {
        switch self {
        case .badCharacters:
            Page(
                "Characters that mean nothing in the language, or quotes that do not close. The"
                    + " operators of other languages have a word here: `and`, `or`, `not`.",
                steps("drop \"small\" if id > 1 && id < 5", "drop \"small\" if id > 1 and id < 5")
            )
        case .syntax:
            Page(
                "The text breaks off or goes on otherwise than it can. The caret is where reading"
                    + " stopped; the slip is there or just before.",
                steps("set size == 5", "set size = 5")
            )
        case .unknownStatement:
            Page(
                "A line begins with a word that no statement has. To write a field, say `set`; to"
                    + " name a value, say `let`.",
                steps("note = \"x\"", "set note = \"x\"")
            )
        case .unknownSetting:
            Page(
                "A setting that there is not, or a value that it cannot have.",
                Page.Examples(
                    frame: .from,
                    wrong: "from \"/var/log/shop/*.log\" {\n  settel = 5s\n}",
                    right: "from \"/var/log/shop/*.log\" {\n  settle = 5s\n}"
                )
            )
        case .chainedComparison:
            Page(
                "A comparison gives true or false, which cannot be compared further. Say each"
                    + " comparison, and join them by `and`.",
                steps("drop \"small\" if 1 < id < 5", "drop \"small\" if 1 < id and id < 5")
            )
        default:
            Page(
                "`=` writes, `==` compares.",
                steps("drop \"five\" if id = 5", "drop \"five\" if id == 5")
            )
        }
    }

    // MARK: E2xx

    private var namePage: DiagnosticPage {
        switch self {
        case .unknownField:
            Page(
                "A name that is neither a column of `parse` nor made by `set` or `let` above. JSON"
                    + " may have further members, and they travel along in `*`; one that the"
                    + " pipeline uses has to be declared.",
                steps("set place = regoin", "set place = region")
            )
        case .unknownFunction:
            Page(
                "There is no such function. `forktail explain` lists them all.",
                steps("set place = lowr(region)", "set place = lower(region)")
            )
        case .unknownMetadata:
            Page(
                "There is no such `@name`, or not in this place: `@error.…` is known inside"
                    + " `on error` only.",
                steps("set host = @hots", "set host = @host")
            )
        case .wrongArgument:
            Page(
                "A value of a kind that does not fit, one too many, one too few, or one that has"
                    + " to be named.",
                steps("set user = mask(user, 4)", "set user = mask(user, keep_last: 4)")
            )
        case .missingGroup:
            Page(
                "A regular expression fills columns by its named groups, `(?<name>…)`; the name of"
                    + " each column has to be one of them.",
                parse(
                    "parse regex('(?<id>\\d+)') {\n  number: int\n}",
                    "parse regex('(?<number>\\d+)') {\n  number: int\n}"
                )
            )
        case .unknownFormat:
            Page(
                "`parse` knows no format of this name.",
                parse("parse jsn {\n  id: int\n}", "parse json {\n  id: int\n}")
            )
        case .unknownType:
            Page(
                "There is no such type, or this format cannot have it: a cell of a CSV file is one"
                    + " value, no list.",
                parse("parse json {\n  id: integer\n}", "parse json {\n  id: int\n}")
            )
        case .unknownCluster:
            Page(
                "`send to` names a `kafka` block of forktail.conf, and there is none of this name. A"
                    + " `send` without `to` goes to the cluster of `--cluster`, else `main`, else the"
                    + " only one.",
                send(
                    "send to archive {\n  topic = \"orders\"\n  value = json(*)\n}",
                    "send {\n  topic = \"orders\"\n  value = json(*)\n}"
                )
            )
        case .untyped:
            Page(
                "Without columns each field is `any?`: names and types are not checked, and a slip"
                    + " shows when records fail. Declare what the pipeline uses.",
                parse("parse json", "parse json {\n  id: int\n}")
            )
        default:
            Page(
                "The pipeline has no `on error` of its own; this is the one that holds, from the"
                    + " `defaults` of forktail.conf.",
                Page.Examples(
                    frame: .file,
                    wrong: "from \"/var/log/shop/*.log\"\nparse text\n"
                        + "send {\n  topic = \"lines\"\n  value = @raw\n}",
                    right: "from \"/var/log/shop/*.log\"\nparse text\n"
                        + "send {\n  topic = \"lines\"\n  value = @raw\n}\non error skip"
                ),
                foundBy: .defaults
            )
        }
    }

    // MARK: E3xx

    private var valuePage: DiagnosticPage {
        switch self {
        case .possiblyMissing:
            Page(
                "A value may be missing where Kafka or a text needs one. Give a fallback; or say"
                    + " `?? null` for a key, to send without one on purpose.",
                send(
                    "send {\n  topic = \"orders\"\n  key   = user\n  value = json(*)\n}",
                    "send {\n  topic = \"orders\"\n  key   = user ?? \"nobody\"\n  value = json(*)\n}"
                )
            )
        case .notACondition:
            Page(
                "A condition is true or false. No other value counts as either: ask for what is"
                    + " meant.",
                steps("drop \"known\" if user", "drop \"known\" if user != null")
            )
        case .unlikeTypes:
            Page(
                "These two are never equal, and cannot be computed with. Convert one of them:"
                    + " `int(…)`, `string(…)`.",
                steps("drop \"seven\" if id == \"7\"", "drop \"seven\" if id == 7")
            )
        case .impossibleValue:
            Page(
                "The column is declared with all the values that it can have, and this is none of"
                    + " them: the comparison is always false.",
                steps("drop \"far\" if region == \"apac\"", "drop \"far\" if region == \"us\"")
            )
        default:
            Page(
                "A `match` over an `enum` says what each value becomes, or what all others become"
                    + " by `else`. A record with a value left out would fail.",
                steps(
                    "set zone = match region { \"eu\" => \"Europe\" }",
                    "set zone = match region { \"eu\" => \"Europe\", \"us\" => \"America\" }"
                )
            )
        }
    }

    // MARK: E4xx

    private var wholePage: DiagnosticPage {
        let text = "from \"/var/log/shop/*.log\"\nparse text\n"
        let record = "send {\n  topic = \"lines\"\n  value = @raw\n}\n"
        switch self {
        case .missingPart:
            return Page(
                "A pipeline says where its bytes come from (`from`) and how a line becomes fields"
                    + " (`parse`).",
                file("parse text\n\(record)on error skip", "\(text)\(record)on error skip")
            )
        case .openEnd:
            return Page(
                "Each record ends sent, dropped or rejected, so that none disappears unseen. This"
                    + " way through the steps ends in none of them.",
                send(
                    "if region == \"eu\" {\n  send {\n    topic = \"orders\"\n    value = json(*)\n  }\n}",
                    "if region == \"eu\" {\n  send {\n    topic = \"orders\"\n    value = json(*)\n  }\n"
                        + "} else {\n  drop \"other regions\"\n}"
                )
            )
        case .noErrorPolicy:
            return Page(
                "A record may fail; the pipeline says once what happens then. `dead_letter` keeps"
                    + " its bytes, `stop` stops the file there, `skip` passes it over.",
                file(
                    "\(text)send {\n  topic = \"lines\"\n  value = @raw\n}",
                    "\(text)\(record)on error dead_letter \"lines.dead\""
                )
            )
        case .badInclude:
            return Page(
                "An included file has steps and nothing else, stands at a path relative to the"
                    + " pipeline, and includes itself on no way round."
            )
        case .repeated:
            return Page(
                "A name has one meaning: what is said twice would hide the first.",
                steps("set place = { a: 1, a: 2 }", "set place = { a: 1, b: 2 }")
            )
        default:
            return Page(
                "A record of Kafka has a topic and a value. A tombstone says so:"
                    + " `value = null`.",
                send(
                    "send {\n  topic = \"orders\"\n}",
                    "send {\n  topic = \"orders\"\n  value = json(*)\n}"
                )
            )
        }
    }

    // MARK: E5xx, E6xx, W6xx

    private var recordPage: DiagnosticPage {
        switch self {
        case .noTimeFormat:
            Page(
                "The same digits are another time in another notation, so that a `time` says its"
                    + " own: `iso8601`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or strptime's letters.",
                parse("parse json {\n  at: time\n}", "parse json {\n  at: time(iso8601)\n}")
            )
        case .noTimeZone:
            Page(
                "A time without a zone is another moment in each place. Name the zone of the"
                    + " host that wrote it, or read it from the text by `%z`.",
                parse(
                    "parse json {\n  at: time('%Y-%m-%d %H:%M')\n}",
                    "parse json {\n  at: time('%Y-%m-%d %H:%M', zone: \"UTC\")\n}"
                )
            )
        case .badTopic:
            Page(
                "Kafka's topics have letters, digits, `.`, `_` and `-` in their names, and at most"
                    + " 249 of them.",
                send(
                    "send {\n  topic = \"new orders\"\n  value = json(*)\n}",
                    "send {\n  topic = \"new-orders\"\n  value = json(*)\n}"
                )
            )
        case .badHeader:
            Page(
                "A header has a name of 1 to 249 printable characters; here a tab is in it.",
                send(
                    "send {\n  topic = \"orders\"\n  value = json(*)\n  headers { `region\t` = region }\n}",
                    "send {\n  topic = \"orders\"\n  value = json(*)\n  headers { region = region }\n}"
                )
            )
        case .notRemakeable:
            Page(
                "After a crash, lines behind the checkpoint are made into records once more, and"
                    + " what is in Kafka already is told by topic, partition and place. What depends"
                    + " on the time of reading (`@now`, `@mtime`, `age(…)`) would come out another"
                    + " one. A header, a timestamp or a value may depend on it.",
                steps(
                    "drop \"old\" if age(at) > 7d",
                    "drop \"old\" if at < time(\"2026-01-01T00:00:00Z\", iso8601)"
                ),
                foundBy: .remakeAnalysis
            )
        case .uncheckedTopic:
            Page(
                "A topic made of data that nobody declared can be any text, and each new one is a"
                    + " new topic. Declare the field, best as an `enum`.",
                send(
                    "send {\n  topic = \"orders.${string(buyer.country)}\"\n  value = json(*)\n}",
                    "send {\n  topic = \"orders.${region}\"\n  value = json(*)\n}"
                )
            )
        case .unused:
            Page(
                "Something is computed, and no record has it. Mostly a slip in a name.",
                steps("let net = amount * 2", "let net = amount * 2\nset amount = net")
            )
        default:
            Page(
                "Nothing is wrong with the text, but hardly meant: a key that never changes, which"
                    + " puts all records into one partition; files that are not there, or that two"
                    + " pipelines read; files that their rotation empties under way"
                    + " (`copytruncate`) while the journal keeps positions only, so that after a"
                    + " crash bytes on their way may be gone: run with `--journal bytes`, or let"
                    + " logrotate rename the file (`create`).",
                send(
                    "send {\n  topic = \"orders\"\n  key   = \"orders\"\n  value = json(*)\n}",
                    "send {\n  topic = \"orders\"\n  key   = string(id)\n  value = json(*)\n}"
                )
            )
        }
    }

    // MARK: What --kafka finds

    private var clusterPage: DiagnosticPage {
        switch self {
        case .absentTopic:
            Page(
                "`check --kafka` asks the cluster for each topic that the pipelines can name, those of"
                    + " dead letters too, and this one is not there. Asking makes no topic. Create it,"
                    + " or leave that to the broker when the first record is sent, if it does so"
                    + " (`auto.create.topics.enable`) and `allow.auto.create.topics` is not false."
            )
        case .absentPartition:
            Page(
                "`partition` of a `send` is a number that the topic does not have in the cluster:"
                    + " partitions count from 0. Records for it fail, and go the way of `on error`."
            )
        case .noRight:
            Page(
                "The cluster says that whoever logs in as this client may not write to the topic,"
                    + " or not use the transactional id. WRITE is what is needed; it includes"
                    + " DESCRIBE. Until it is given, nothing gets there."
            )
        case .noReadRight:
            Page(
                "Sending needs no READ. But after a crash under `--delivery exactly_once`, READ on the"
                    + " topic is what proves which of the records on their way Kafka has, however long"
                    + " Forktail was down. Without it the batches are sent again under their old numbers,"
                    + " which tells only while the broker remembers them; after that the partition stops"
                    + " (`recovery.stopped`). `forktail verify` reads, too."
            )
        default:
            Page(
                "The topic is made of a field that is no `enum`, or of something else that is known"
                    + " only when a line is read. So `check --kafka` cannot look its topics up. Nothing"
                    + " is wrong with it."
            )
        }
    }
}
