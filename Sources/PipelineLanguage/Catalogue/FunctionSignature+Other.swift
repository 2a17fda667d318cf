/// Paths, and what spreads or picks records.
extension FunctionSignature {
    static let basename = Self(
        .paths,
        [.value("path")],
        .string,
        "the last part of a path",
        [.init(#"basename("/var/log/a.log")"#, #""a.log""#)]
    )
    static let dirname = Self(
        .paths,
        [.value("path")],
        .string,
        "a path without its last part",
        [.init(#"dirname("/var/log/a.log")"#, #""/var/log""#)]
    )
    static let globCapture = Self(
        .paths,
        [.value("number", .int)],
        .string,
        "what a `*` of the `from` glob stands for in this file's path, counted from 1",
        [
            .init("glob_capture(1)", #""cart""#),
            .init(#""${glob_capture(1)}-${glob_capture(2)}""#, #""cart-web-1""#),
        ]
    )
    static let uuid5 = Self(
        .other,
        [.value("namespace"), .value("name")],
        .string,
        "the UUID of a name (version 5): the same name has the same UUID. The namespace is \"dns\","
            + " \"url\", \"oid\", \"x500\" or a UUID",
        [
            .init(
                #"uuid5("dns", "www.example.com")"#,
                #""2ed6657d-e927-568b-95e1-2665a8aea6a2""#
            ),
            .init(
                #"uuid5("shop", "7")"#,
                fails:
                    #"uuid5(): "shop" is no namespace: write "dns", "url", "oid", "x500" or a UUID"#
            ),
        ]
    )
    static let hash = Self(
        .other,
        [.value("text")],
        .int,
        "murmur2, as Kafka's partitioner computes it",
        [.init(#"hash("foobar")"#, "-790332482")]
    )
    static let sample = Self(
        .other,
        [.value("rate", .number), .label("by", .string, required: true)],
        .bool,
        "true for this share of all texts, and always the same for one text: a rate of 0.1 keeps one"
            + " in ten",
        [.init(#"sample(1, by: "t-77")"#, "true"), .init(#"sample(0.5, by: "t-77")"#, "false")]
    )
    static let salted = Self(
        .other,
        [.value("text"), .value("number", .int)],
        .string,
        "the text with `#` and a number below the given one, which depends on the place of the"
            + " record in its file: a hot key is spread over so many keys, and comes out the same"
            + " when it is made again",
        [.init(#"salted("c-7", 8)"#, ##""c-7#7""##)]
    )
}
