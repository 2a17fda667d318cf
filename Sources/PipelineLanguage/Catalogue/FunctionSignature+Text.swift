/// What works on texts; places and lengths count characters, not bytes, unless it is said.
extension FunctionSignature {
    static let lower = Self(
        .text,
        [.value("text")],
        .string,
        "the text in lower case",
        [.init(#"lower("ÄB")"#, #""äb""#)]
    )
    static let upper = Self(
        .text,
        [.value("text")],
        .string,
        "the text in upper case",
        [.init(#"upper("äb")"#, #""ÄB""#)]
    )
    static let trim = Self(
        .text,
        [.value("text")],
        .string,
        "the text without white space at its ends",
        [.init(#"trim("  x y ")"#, #""x y""#)]
    )
    static let replace = Self(
        .text,
        [.value("text"), .value("pattern", .pattern), .value("with")],
        .string,
        "the text with each match replaced; `$1` is the first group",
        [
            .init(#"replace("id=17 n=4", '\d+', "N")"#, #""id=N n=N""#),
            .init(#"replace("a-b", '(\w)-(\w)', "$2-$1")"#, #""b-a""#),
        ]
    )
    static let capture = Self(
        .text,
        [.value("text"), .value("pattern", .pattern)],
        .string,
        "what the pattern's first group matched; fails without a match",
        [
            .init(#"capture("user=ada ok", 'user=(\w+)')"#, #""ada""#),
            .init(#"capture("ok", 'user=(\w+)') ?? "nobody""#, #""nobody""#),
            .init(
                #"capture("ok", 'user=(\w+)')"#,
                fails: #"capture(): the pattern does not match "ok""#
            ),
        ]
    )
    static let captures = Self(
        .text,
        [.value("text"), .value("pattern", .pattern)],
        .object,
        "what the pattern's named groups matched; a group that took no part has no value",
        [
            .init(
                #"captures("GET /cart", '^(?<method>\w+) (?<path>\S+)')"#,
                #"{"method":"GET","path":"/cart"}"#
            ),
            .init(
                #"captures("?", '(?<a>\w)')"#,
                fails: #"captures(): the pattern does not match "?""#
            ),
        ]
    )
    static let split = Self(
        .text,
        [.value("text"), .value("separator"), .label("max", .int)],
        ValueType(.list(.string)),
        "the parts between separators; the last of `max` parts keeps the rest",
        [
            .init(#"split("a,b,c", ",")"#, #"["a","b","c"]"#),
            .init(#"split("a,b,c", ",", max: 2)"#, #"["a","b,c"]"#),
        ]
    )
    static let join = Self(
        .text,
        [.value("parts", .list), .value("separator")],
        .string,
        "the parts as one text",
        [.init(#"join(["a", "b"], "-")"#, #""a-b""#)]
    )
    static let startsWith = Self(
        .text,
        [.value("text"), .value("start")],
        .bool,
        "whether the text begins so",
        [.init(#"starts_with("/api/cart", "/api/")"#, "true")]
    )
    static let endsWith = Self(
        .text,
        [.value("text"), .value("end")],
        .bool,
        "whether the text ends so",
        [.init(#"ends_with("a.log", ".gz")"#, "false")]
    )
    static let contains = Self(
        .text,
        [.value("text"), .value("part")],
        .bool,
        "whether the text has this part",
        [.init(#"contains("no route to host", "route")"#, "true")]
    )
    static let substring = Self(
        .text,
        [.value("text"), .label("from", .int), .label("to", .int)],
        .string,
        "the characters from a place (counted from 0) up to another, that one left out; a negative"
            + " place counts from the end, one behind an end is that end",
        [
            .init(#"substring("héllo", from: 1, to: 3)"#, #""él""#),
            .init(#"substring("2026-11-23", to: 4)"#, #""2026""#),
            .init(#"substring("4111111111111111", from: -4)"#, #""1111""#),
        ]
    )
    static let truncate = Self(
        .text,
        [.value("text"), .value("bytes", .int)],
        .string,
        "the text's beginning of at most so many bytes; a character is never cut",
        [.init(#"truncate("héllo", 2)"#, #""h""#), .init(#"truncate("héllo", 3)"#, #""hé""#)]
    )
    static let len = Self(
        .text,
        [.value("value", .any)],
        .int,
        "characters of a text, members of a list or object",
        [.init(#"len("héllo")"#, "5"), .init("len([1, 2])", "2")]
    )
}
