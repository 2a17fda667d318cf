/// What makes bytes, and what makes one kind of value of another.
extension FunctionSignature {
    static let json = Self(
        .encoding,
        [.value("value", .any)],
        .bytes,
        "the value as JSON",
        [.init(#"json({ id: 7, tags: ["a"] })"#, #"{"id":7,"tags":["a"]}"#)]
    )
    static let text = Self(
        .encoding,
        [.value("text")],
        .bytes,
        "the text as UTF-8 bytes",
        [.init(#"text("paid")"#, "paid")]
    )
    static let msgpack = Self(
        .encoding,
        [.value("value", .any)],
        .bytes,
        "the value as MessagePack; a number with more digits than a float holds is a text, a time"
            + " and a duration are texts as in JSON",
        [
            .init(#"hex(msgpack({ id: 7, ok: true }))"#, #""82a2696407a26f6bc3""#),
            .init("hex(msgpack(19.90))", #""cb4033e66666666666""#),
        ]
    )
    static let string = Self(
        .converting,
        [.value("value", .any)],
        .string,
        "the value as text",
        [.init("string(42)", #""42""#), .init("string(90s)", #""1m30s""#)]
    )
    static let int = Self(
        .converting,
        [.value("value", .any)],
        .int,
        "a whole number; of a duration its whole seconds; fails if it is none",
        [
            .init(#"int("42")"#, "42"), .init("int(90s)", "90"),
            .init(#"int("abc")"#, fails: #""abc" is not an int"#),
        ]
    )
    static let decimal = Self(
        .converting,
        [.value("value", .any)],
        .decimal,
        "a number that keeps its digits; of a duration its seconds",
        [
            .init(#"decimal("19.90")"#, "19.90"), .init("decimal(1500ms)", "1.5"),
            .init(#"decimal("19,90")"#, fails: #""19,90" is not a decimal"#),
        ]
    )
    static let float = Self(
        .converting,
        [.value("value", .any)],
        .float,
        "a floating-point number; of a duration its seconds",
        [
            .init(#"float("0.25")"#, "0.25"),
            .init(#"float("low")"#, fails: #""low" is not a float"#),
        ]
    )
    static let bool = Self(
        .converting,
        [.value("value", .any)],
        .bool,
        "true or false, from a bool or its text",
        [
            .init(#"bool("true")"#, "true"),
            .init(#"bool("yes")"#, fails: #""yes" is not true or false"#),
        ]
    )
    static let time = Self(
        .converting,
        [.value("text"), .value("format", .timeFormat), .label("zone", .zone)],
        .time,
        "the time that the text says, in the formats of a `time(…)` column",
        [
            .init(
                #"time("23.11.2026 11:00", '%d.%m.%Y %H:%M', zone: "Europe/Berlin")"#,
                #""2026-11-23T10:00:00Z""#
            ),
            .init(#"time("1795428000", unix)"#, #""2026-11-23T10:00:00Z""#),
            .init(
                #"time("noon", iso8601)"#,
                fails: #"time(): "noon" is not a time as ISO 8601"#
            ),
        ]
    )
    static let duration = Self(
        .converting,
        [.value("text")],
        .duration,
        "the duration that the text says: numbers with the units d, h, m, s, ms, us and ns",
        [
            .init(#"duration("1h30m")"#, #""1h30m""#),
            .init(#"int(duration("1.5m"))"#, "90"),
            .init(#"duration("soon")"#, fails: #"duration(): "soon" is not a duration"#),
        ]
    )
    static let hex = Self(
        .converting,
        [.value("bytes")],
        .string,
        "the bytes as hexadecimal digits",
        [.init(#"hex("Az")"#, #""417a""#)]
    )
    static let base64 = Self(
        .converting,
        [.value("bytes")],
        .string,
        "the bytes as Base64, padded",
        [.init(#"base64("hello")"#, #""aGVsbG8=""#)]
    )
    static let unbase64 = Self(
        .converting,
        [.value("text")],
        .bytes,
        "the bytes that Base64 stands for; also its alphabet for URLs, and without padding",
        [
            .init(#"unbase64("aGVsbG8=")"#, "hello"),
            .init(#"unbase64("Pz8_")"#, "???"),
            .init(#"unbase64("a*b")"#, fails: #"unbase64(): "a*b" is not Base64"#),
        ]
    )
}
