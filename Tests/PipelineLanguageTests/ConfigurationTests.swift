import Testing

@testable import PipelineLanguage

struct ConfigurationTests {
    /// Some of what the producer knows.
    static let rules = PropertyRules(
        names: ["bootstrap.servers", "linger.ms", "acks", "client.id", "sasl.password"],
        isSecret: { $0 == "sasl.password" },
        problem: { name, value in
            if name == "sasl.jaas.config" { return "set sasl.password instead" }
            guard name == "acks", !["all", "1", "0"].contains(value) else { return nil }
            return "acks must be all, 1 or 0, not \"\(value)\""
        }
    )

    private static func source(_ text: String) -> SourceText {
        SourceText(path: "etc/forktail.conf", text: text)
    }

    private static func resolve(
        _ text: String,
        profile: String? = nil,
        environment: [String: String] = [:],
        flags: [Setting: String] = [:]
    ) -> (configuration: Configuration, diagnostics: [Diagnostic], problems: [String]) {
        let file = ConfigurationFile.read(source(text), rules: rules).file
        var said = Configuration.Flags()
        said.settings = flags
        return file.resolved(
            profile: profile,
            environment: environment,
            flags: said,
            rules: rules
        )
    }

    private func verify(_ marked: String, sourceLocation: Testing.SourceLocation = #_sourceLocation)
    {
        let marked = MarkedText(marked)
        let source = Self.source(marked.text)
        let (file, diagnostics) = ConfigurationFile.read(source, rules: Self.rules)
        let others = file.resolved(
            profile: nil,
            environment: ["BROKERS": "b:9092"],
            flags: Configuration.Flags(),
            rules: Self.rules
        ).diagnostics
        let found = (diagnostics + others).map {
            MarkedText.Mark(
                code: $0.code.rawValue,
                start: $0.span.start,
                text: source.text(in: $0.span)
            )
        }
        #expect(
            found.sorted { $0.start < $1.start } == marked.marks,
            sourceLocation: sourceLocation
        )
    }

    // MARK: What can be written

    static let whole = """
        language  = 1
        state_dir = "/var/lib/forktail"
        pipelines = pipelines.d   # beside this file

        kafka main {
          bootstrap.servers = @env.BROKERS
          acks = all   linger.ms = 20
          client.id     = "tail-${@env.ZONE}"
          sasl.password = secret.file("/run/secrets/kafka")
        }

        secrets { pepper = secret.env("PEPPER") }

        defaults {
          on error dead_letter "dead.${@pipeline}"
          headers { forktail-pipeline = @pipeline }
        }

        profile dev  { kafka main { bootstrap.servers = localhost:9092 } }
        profile prod {
          state_dir = "/data"
          kafka main { linger.ms = 50, acks = 1 }
          defaults { on error stop }
        }
        """

    @Test func `every kind of value can be written`() {
        let environment = ["BROKERS": "b1:9092,b2:9092", "ZONE": "eu", "PEPPER": "x"]
        let (found, diagnostics, problems) = Self.resolve(Self.whole, environment: environment)
        #expect(ConfigurationFile.read(Self.source(Self.whole), rules: Self.rules).1 == [])
        #expect(diagnostics == [] && problems == [])
        #expect(found.text(of: .stateDirectory) == "/var/lib/forktail")
        #expect(found.text(of: .pipelines) == "etc/pipelines.d")
        #expect(
            found.cluster?.properties.map { "\($0.name)=\($0.value)" } == [
                "bootstrap.servers=b1:9092,b2:9092", "acks=all", "linger.ms=20",
                "client.id=tail-eu",
                "sasl.password=(secret)",
            ]
        )
        #expect(found.cluster?.properties[4].value == .secretFile("/run/secrets/kafka"))
        #expect(found.secrets.map(\.value) == [.secretVariable("PEPPER")])
        #expect(found.context.secrets == ["pepper"])
        #expect(found.defaults.errorPolicy == "on error dead_letter \"dead.${@pipeline}\"")
        #expect(found.defaults.place == "etc/forktail.conf:15")
        let place = "etc/forktail.conf:16"
        #expect(
            found.defaults.headers == [
                .init(name: "forktail-pipeline", value: "@pipeline", place: place)
            ]
        )
    }

    @Test(arguments: [
        ("20", "20"), ("-1", "-1"), ("SCRAM-SHA-512", "SCRAM-SHA-512"), ("TLSv1.2", "TLSv1.2"),
        ("b1.example.com:9092", "b1.example.com:9092"), ("/etc/ca.pem", "/etc/ca.pem"),
        ("10.0.0.1:9092", "10.0.0.1:9092"), ("0.95", "0.95"), ("\"a\\tb\"", "a\tb"),
        ("'a${b}'", "a${b}"), ("@env.NONE ?? 7", "7"), ("@env.NONE ?? @env.SOME", "some"),
        ("\"${@env.SOME}-1\"", "some-1"),
    ])
    func `a value is what stands there`(written: String, value: String) {
        let (found, diagnostics, _) = Self.resolve(
            "kafka main { client.id = \(written) }",
            environment: ["SOME": "some"]
        )
        #expect(diagnostics == [])
        #expect(found.cluster?.properties.map(\.value) == [.text(value)])
    }

    // MARK: What cannot

    @Test(arguments: [
        "«E104:stat_dir» = x",
        "language = «E104:2»",
        "state_dir = «E104:\"\"»",
        "«E104:linger.ms» = 20",
        "«E104:http» { listen = \"127.0.0.1:9640\" }",
        "«E104:send» { topic = \"t\" }",
        "kafka main { «E104:lingr.ms» = 20 }",
        "kafka main { acks = «E104:some» }",
        "kafka main { acks = @env.BROKERS }".replacing("@env.BROKERS", with: "«E104:@env.BROKERS»"),
        "kafka main { «E104:schema_registry» { url = \"https://sr:8081\" } }",
        "kafka main { acks = all\n  «E404:acks» = 1 }",
        "kafka main { }\nkafka «E404:main» { }",
        "kafka «E102:{» }",
        "kafka «E104:\"a/b\"» { }",
        "kafka «E104:\"..\"» { }",
        "kafka «E104:\"\"» { }",
        "kafka main { client.id = «E102:a,b» }",
        "kafka main { client.id = «E102:x(1)» }",
        "kafka main { client.id «E102:20» }",
        "kafka main { client.id «E102:=»\n}",
        "kafka main «E102:{»\n  acks = all\ndefaults { }",
        "kafka main { client.id = «E203:@host» }",
        "kafka main { client.id = \"a${«E204:1 + 2»}\" }",
        "kafka main { client.id = «E104:@env.NONE» }",
        "kafka main { client.id = \"${«E104:@env.NONE»}\" }",
        "kafka main { client.id = «E104:secret.env(\"BROKERS\")» }",
        "kafka main { sasl.password = «E104:\"hunter2\"» }",
        "kafka main { sasl.password = «E104:@env.BROKERS» }",
        "kafka main { sasl.password = «E104:secret.fil»(\"/x\") }",
        "kafka main { sasl.password = secret.env(«E104:\"NONE\"») }",
        "kafka main { client.id = «E101:\"open»\n  acks = «E104:2»\n}",
        "secrets { pepper = «E104:salt» }",
        "secrets { pepper = secret.file(\"/a\")  «E404:pepper» = secret.file(\"/b\") }",
        "defaults { «E104:keep» x }",
        "defaults { on error «E103:dead_leter» \"x\" }",
        "defaults { on error dead_letter «E601:\"no spaces\"» }",
        "defaults { on error dead_letter «E201:topic» }",
        "defaults { on error stop\n  «E404:on» error skip }",
        "defaults { headers { a = «E201:id»  b = @pipeline } }",
        "defaults { headers { a = @host  «E404:a» = 1 } }",
        "profile dev { «E104:language» = 1 }",
        "profile dev { «E104:profile» x { } }",
        "profile dev { }\nprofile «E404:dev» { }",
        "kafka main { }\nprofile dev { kafka «E104:mian» { acks = all } }",
        "cluster = «E104:mian»\nkafka main { }",
    ])
    func `each mistake is named where it stands`(marked: String) {
        verify(marked)
    }

    @Test func `all mistakes are found at once`() {
        verify(
            """
            language = «E104:7»
            «E104:pipline» = "x"
            kafka main {
              «E104:ack» = all
              linger.ms = 20
              client.id = «E102:a,b»
            }
            defaults { on error «E103:explode» }
            profile dev { «E104:htpp» { } }
            """
        )
    }

    @Test(arguments: [
        ("stat_dir = x", "did you mean `state_dir`?"),
        ("kafka main { lingr.ms = 20 }", "did you mean `linger.ms`?"),
        (
            "kafka main { schema_registry { } }",
            "its support comes with a later release; leave the block out until then"
        ),
        ("kafka main { sasl.jaas.config = \"x\" }", "set sasl.password instead"),
        ("linger.ms = 20", "put it into `kafka main { … }`"),
        (
            "http { listen = \"x\" }",
            "its support comes with a later release; leave the block out until then"
        ),
        ("sink { }", "there are kafka, secrets, defaults, profile"),
        ("secret { a = secret.file(\"/x\") }", "did you mean `secrets`?"),
        ("set a = 1", "steps stand in a file NAME.pipeline: no setting changes what they do"),
        ("kafka main { client.id = a,b }", "write it as \"…\""),
    ])
    func `the help says what to write`(text: String, help: String) {
        let diagnostics = ConfigurationFile.read(Self.source(text), rules: Self.rules).diagnostics
        #expect(diagnostics.map(\.help) == [help])
    }

    @Test func `a password in the file is refused, and not shown`() {
        let text = "kafka main {\n  sasl.password = hunter2  acks = some\n}\n"
        let (file, diagnostics) = ConfigurationFile.read(Self.source(text), rules: Self.rules)
        let shown = DiagnosticRenderer(source: file.source).text(diagnostics)
        #expect(
            shown == """
                error[E104]: `sasl.password` is a secret, and does not stand in this file
                 --> etc/forktail.conf:2:19
                  |
                2 |   sasl.password = *******  acks = some
                  |                   ^^^^^^^
                  = help: write `secret.file("/run/secrets/…")` or `secret.env("NAME")`

                error[E104]: acks must be all, 1 or 0, not "some"
                 --> etc/forktail.conf:2:35
                  |
                2 |   sasl.password = *******  acks = some
                  |                                   ^^^^

                """
        )
    }

    // MARK: Layers

    @Test func `a profile changes settings, and says so`() {
        let environment = ["BROKERS": "b:1", "ZONE": "eu", "PEPPER": "x"]
        let found = Self.resolve(Self.whole, profile: "prod", environment: environment).0
        #expect(found.text(of: .stateDirectory) == "/data")
        #expect(
            found.settings[.stateDirectory]?.origin.description
                == "profile prod, etc/forktail.conf:21"
        )
        #expect(
            found.cluster?.properties.map { "\($0.name)=\($0.value) \($0.origin)" } == [
                "bootstrap.servers=b:1 etc/forktail.conf:6",
                "acks=1 profile prod, etc/forktail.conf:22",
                "linger.ms=50 profile prod, etc/forktail.conf:22",
                "client.id=tail-eu etc/forktail.conf:8",
                "sasl.password=(secret) etc/forktail.conf:9",
            ]
        )
        #expect(found.cluster?.properties.first?.variables == ["BROKERS"])
        #expect(found.defaults.errorPolicy == "on error stop")
        #expect(found.defaults.headers.map(\.name) == ["forktail-pipeline"])
    }

    @Test func `a variable that a profile makes needless may be missing`() {
        let environment = ["ZONE": "eu", "PEPPER": "x"]
        #expect(Self.resolve(Self.whole, environment: environment).diagnostics.count == 1)
        #expect(
            Self.resolve(Self.whole, profile: "dev", environment: environment).diagnostics == []
        )
    }

    @Test(
        arguments: [
            ([:], [:], "/a", "etc/forktail.conf:1"),
            (["FORKTAIL_STATE_DIR": "/b"], [:], "/b", "FORKTAIL_STATE_DIR"),
            (["FORKTAIL_STATE_DIR": ""], [:], "/a", "etc/forktail.conf:1"),
            (["FORKTAIL_STATE_DIR": "/b"], [.stateDirectory: "/c"], "/c", "--state-dir"),
        ] as [([String: String], [Setting: String], String, String)]
    )
    func `the environment outweighs the file, and a flag both`(
        environment: [String: String],
        flags: [Setting: String],
        value: String,
        origin: String
    ) {
        let found = Self.resolve("state_dir = /a", environment: environment, flags: flags).0
        #expect(found.settings[.stateDirectory]?.value == .text(value))
        #expect(found.settings[.stateDirectory]?.origin.description == origin)
    }

    @Test func `what a variable cannot be set to is said by its name`() {
        let found = Self.resolve(
            "",
            environment: ["FORKTAIL_COLOR": "blue", "FORKTAIL_CLUSTER": "archive"]
        )
        #expect(
            found.problems == [
                "FORKTAIL_COLOR has to be auto, always or never, not \"blue\"",
                "FORKTAIL_CLUSTER: there is no cluster `archive`; add `kafka archive { … }`",
            ]
        )
    }

    @Test(
        arguments: [
            ("kafka main { }\nkafka archive { }", [:], "main"),
            ("kafka archive { }", [:], "archive"),
            ("kafka a { }\nkafka b { }", [:], nil),
            ("cluster = b\nkafka a { }\nkafka b { }", [:], "b"),
            ("kafka main { }\nkafka archive { }", [.cluster: "archive"], "archive"),
        ] as [(String, [Setting: String], String?)]
    )
    func `the cluster is the one asked for, main, or the only one`(
        text: String,
        flags: [Setting: String],
        name: String?
    ) {
        #expect(Self.resolve(text, flags: flags).0.cluster?.name == name)
    }

    @Test func `every setting has its own variable and flag`() {
        let names = Setting.allCases.compactMap(\.variable)
        #expect(Set(names).count == names.count)
        #expect(Setting.stateDirectory.variable == "FORKTAIL_STATE_DIR")
        #expect(Setting.positionHeaders.flag == "--position-headers")
        #expect(Setting.transactionInterval.problem(with: "500ms") == nil)
        #expect(Setting.transactionInterval.problem(with: "5") != nil)
    }

    @Test(arguments: [
        PipelineDefaults(),
        PipelineDefaults(errorPolicy: "on error stop"),
        PipelineDefaults(headers: [.init(name: "a-b.c", value: "\"x ${@host}\"")]),
        PipelineDefaults(
            errorPolicy: "on error {\n  send { topic = \"d\"  value = @raw }\n}",
            headers: [.init(name: "\"$\\", value: "@pipeline"), .init(name: "b", value: "1")]
        ),
    ])
    func `defaults are kept with the text of a pipeline`(defaults: PipelineDefaults) {
        let text = "from \"ä\"\nparse text\n"
        let (found, rest) = PipelineDefaults.unarchived(defaults.archived(with: text))
        #expect(found.errorPolicy == defaults.errorPolicy)
        #expect(found.headers.map(\.name) == defaults.headers.map(\.name))
        #expect(found.headers.map(\.value) == defaults.headers.map(\.value))
        #expect(rest == text)
    }
}
