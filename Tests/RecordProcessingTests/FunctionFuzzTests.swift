import PipelineLanguage
import Testing

@testable import RecordProcessing

/// Texts that no pipeline expects: each call gives a value or fails the record, and never more.
struct FunctionFuzzTests {
    private static let expressions = [
        "lower(a)", "trim(a)", "len(a)", "substring(a, from: -3, to: 5)", "truncate(a, 7)",
        "mask(a, keep_last: 2)", "mask_ip(a)", "redact(a, \"card\", \"email\", \"iban\")",
        "unbase64(a)", "base64(a)", "hex(a)", "json(split(a, \",\"))", "replace(a, '.?', \"-\")",
        "json(captures(a, '(?<x>[0-9]+)(?<y>=)?'))", "json(parse_kv(a))", "json(parse_url(a))",
        "json(parse_json(a))", "string(get(parse_json(a), a))", "json(flatten(parse_json(a)))",
        "hex(msgpack(parse_json(a)))", "string(duration(a))", "string(time(a, iso8601))",
        "string(decimal(a) * 3)", "uuid5(a, a)", "salted(a, 3)", "sample(0.5, by: a)",
        "basename(a)", "dirname(a)", "sha256(a)", "hash(a)",
    ]
    private static let pieces = [
        "", "=", "\"", "'", "\\", ",", ";", " ", ":", "/", "?", "#", "%4", "%zz", "+", "@", ".",
        "-", "[", "]", "{", "}", "[0]", "null", "1e9", "-0", "4111", "4111111111111111",
        "DE89370400440532013000", "a@b.cd", "é", "👩‍🚀", "2026-11-23", "T10:00:00", "1h", "ms",
        "9223372036854775807", "u:p@[::1]:80", "\u{0}",
    ].map { Array($0.utf8) }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `no text is too odd for a function`(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        let benches = try Self.expressions.map { expression in
            try Bench.value(expression, parse: "parse text {\n a: string\n}")
        }
        for round in 0..<400 {
            let text = text(&generator)
            for (bench, expression) in zip(benches, Self.expressions) {
                let first = bench.run(text)
                #expect(
                    bench.run(text) == first || expression.hasPrefix("salted"),
                    "seed \(seed), round \(round): \(expression) of \(text)"
                )
            }
        }
    }

    private func text(_ generator: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 0...6, using: &generator)).flatMap { _ -> [UInt8] in
            if Int.random(in: 0..<5, using: &generator) == 0 {
                return [UInt8.random(in: 0...255, using: &generator)]
            }
            return Self.pieces.randomElement(using: &generator) ?? []
        }
    }
}

/// Numbers that a seed repeats (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
