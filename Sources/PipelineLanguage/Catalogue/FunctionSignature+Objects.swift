extension FunctionSignature {
    private static let dynamic = ValueType.any.optional()

    static let merge = Self(
        .objects,
        [.value("first", .object), .value("second", .object)],
        .object,
        "the members of both; the second's win",
        [.init("merge({ a: 1, b: 1 }, { b: 2 })", #"{"a":1,"b":2}"#)]
    )
    static let keys = Self(
        .objects,
        [.value("object", .object)],
        ValueType(.list(.string)),
        "the names of the members, in their order",
        [.init("keys({ b: 1, a: 2 })", #"["b","a"]"#)]
    )
    static let values = Self(
        .objects,
        [.value("object", .object)],
        ValueType(.list(dynamic)),
        "the values of the members, in their order",
        [.init("values({ b: 1, a: 2 })", "[1,2]")]
    )
    static let flatten = Self(
        .objects,
        [.value("object", .object), .label("sep", .string)],
        .object,
        "the members of inner objects under joined names; lists stay as they are. Without `sep`"
            + " names are joined with a dot",
        [
            .init(#"flatten({ a: { b: 1, c: { d: 2 } } })"#, #"{"a.b":1,"a.c.d":2}"#),
            .init(#"flatten({ a: { b: [1] } }, sep: "_")"#, #"{"a_b":[1]}"#),
        ]
    )
    static let parseJSON = Self(
        .objects,
        [.value("text")],
        dynamic,
        "the value that the JSON in the text stands for",
        [
            .init(#"parse_json('{"user":{"id":7}}').user.id"#, "7"),
            .init(
                #"parse_json("nope")"#,
                fails: #"parse_json(): "nope" is not JSON: a value is missing at byte 0"#
            ),
        ]
    )
    static let parseKV = Self(
        .objects,
        [.value("text")],
        .object,
        "an object of the pairs `name=value` in the text, in quotes or not; other words are passed"
            + " over, and `,` or `;` behind a value is no part of it",
        [
            .init(
                #"parse_kv('login ok user=ada, ip=10.0.0.7 agent="curl 8"')"#,
                #"{"user":"ada","ip":"10.0.0.7","agent":"curl 8"}"#
            )
        ]
    )
    static let parseURL = Self(
        .objects,
        [.value("text")],
        ValueType(
            .object([
                "scheme": .string.optional(), "user": .string.optional(),
                "host": .string.optional(), "port": .int.optional(), "path": .string,
                "query": .string.optional(), "fragment": .string.optional(), "params": .object,
            ])
        ),
        "an object of scheme, user, host, port, path, query, fragment and params (the query's"
            + " members, decoded); what is not there is left out, and so is a password",
        [
            .init(
                #"parse_url("https://shop.example:8443/cart?id=7&q=a%20b#top")"#,
                #"{"scheme":"https","host":"shop.example","port":8443,"path":"/cart","#
                    + #""query":"id=7&q=a%20b","fragment":"top","params":{"id":"7","q":"a b"}}"#
            ),
            .init(#"parse_url("/cart?id=7").params.id"#, #""7""#),
            .init(
                #"parse_url("http://host:x/")"#,
                fails: #"parse_url(): "http://host:x/" is not a URL: its port is no number"#
            ),
        ]
    )
    static let get = Self(
        .objects,
        [.value("object", .any), .value("path")],
        dynamic,
        "what stands at a path of names and places; no value where there is nothing",
        [
            .init(#"get({ a: { b: ["x", "y"] } }, "a.b[1]")"#, #""y""#),
            .init(#"get({ a: 1 }, "b.c") ?? "none""#, #""none""#),
            .init(#"get({ a: 1 }, "a..b")"#, fails: #"get(): "a..b" is not a path"#),
        ]
    )
}
