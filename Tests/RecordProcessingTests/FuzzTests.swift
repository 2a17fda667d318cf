import Glibc
import PipelineLanguage
import Testing

@testable import RecordProcessing

/// Lines that no program wrote, to each parser of lines.
///
/// None of them may end the process or keep it busy, and what is sent of one is JSON that can be
/// read. FORKTAIL_INPUTS says how many are tried, FORKTAIL_SEED which.
struct FuzzTests {
    /// A format, and a line that fits it.
    static let formats: [(parse: String, line: String)] = [
        ("json", #"{"a":[1,{"b":"\u00e9x\ud83d\ude00"}],"c":-1.5e3,"d":true,"e":null,"a":"z"}"#),
        (
            "json { a: int, b: decimal?, c: float?, d: bool?, e: [int]?, f: object?, g: enum(\"x\", \"y\")? }",
            #"{"a":12,"b":1.50,"c":2e3,"d":false,"e":[1,2],"f":{"g":{"h":null}},"g":"x","i":"\n"}"#
        ),
        (
            "json { a: time(iso8601), b: time('%d/%b/%Y:%H:%M:%S %z'), c: time(unix_ms)?, d: time(unix)? }",
            #"{"a":"2026-11-24T08:00:00.123+01:00","b":"24/Nov/2026:08:00:00 +0100","c":17,"d":1.5}"#
        ),
        ("csv { a: int, b: string, c: decimal?, d: bool? }", "12,\"a \"\"b\"\", c\",-1.50,true"),
        ("csv(separator: \";\", quote: \"'\") { a: string, b: string? }", "'x;''y';z"),
        (
            "csv { at: time('%Y-%m-%d %H:%M:%S,%3f', zone: \"Europe/Berlin\"), b: float? }",
            "\"2026-11-24 08:00:00,250\",1e9"
        ),
        (
            "nginx_combined",
            #"1.2.3.4 - b [24/Nov/2026:08:00:00 +0100] "GET /\"x HTTP/1.1" 200 5 "-" "u""#
        ),
        (
            "regex('^(?<a>\\S+) (?<b>\\d+)(?: (?<c>.*))?$') { a: string, b: int, c: string? }",
            "word 42 and the rest"
        ),
        ("regex('(?<a>(x+x+)+y)') { a: string }", "xxxxxxxxxxy"),
        ("text", "any text"),
        ("logfmt { a: int, b: string? }", #"a=1 b="x \"y\" z" c= d at=2026-11-24T08:00:00Z"#),
        ("apache_combined", #"1.2.3.4 - - [24/Nov/2026:08:00:00 +0100] "-" 408 - "-" "-""#),
        ("apache_common", #"1.2.3.4 - u [24/Nov/2026:08:00:00 +0100] "GET / HTTP/1.0" 200 7"#),
        ("syslog", #"<165>1 2026-11-24T08:00:00.003Z host app 12 ID47 [a@1 b="c\"d"] message"#),
        ("syslog", "<34>Nov 24 08:00:00 host app[12]: message"),
        ("cri", "2026-11-24T08:00:00.123456789Z stdout F a message"),
    ]

    @Test func `whatever a line is, it ends, and what is sent can be read`() throws {
        let seed = variable("FORKTAIL_SEED") ?? 1
        let wanted = variable("FORKTAIL_INPUTS") ?? 30_000
        var fuzz = try Fuzz(seed: UInt64(seed), formats: Self.formats)
        let clock = ContinuousClock()
        let start = clock.now
        var longest = Duration.zero
        for number in 0..<wanted {
            let begin = clock.now
            let problem = fuzz.tryNext()
            longest = max(longest, begin.duration(to: clock.now))
            if let problem {
                Issue.record(
                    "\(problem): FORKTAIL_SEED=\(seed) FORKTAIL_INPUTS=\(number + 1): \(fuzz.bytes)"
                )
                break
            }
        }
        print(
            "\(wanted) lines: \(fuzz.sent) sent, \(fuzz.failed) failed, in"
                + " \(start.duration(to: clock.now)); longest \(longest)"
        )
        #expect(fuzz.sent > wanted / 20)
        #expect(fuzz.failed > wanted / 20)
    }

    private func variable(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }
}

/// Makes lines, one after the other, and has them parsed.
private struct Fuzz {
    private(set) var sent = 0
    private(set) var failed = 0
    private(set) var bytes: [UInt8] = []
    private let benches: [Bench]
    private let lines: [[UInt8]]
    private var random: Generator

    private static let pieces = [
        "\"", "\\", "\\u", "\\ud83d", "{", "}", "[", "]", ":", ",", ";", "'", "null", "-", "1e999",
        "9223372036854775808", "0.0000000000000000001", "\u{0}", "\r", "\n", " ", "\t", "é", "😀",
        "2026-02-30", "99:99:99", "+2500", "%", "=", "<34>", "/", "::1", "true", "\u{FEFF}",
    ].map { Array($0.utf8) }

    init(seed: UInt64, formats: [(parse: String, line: String)]) throws {
        random = Generator(state: seed)
        lines = formats.map { Array($0.line.utf8) }
        benches = try formats.map { try Bench.value("json(*)", parse: "parse " + $0.parse) }
    }

    /// What is wrong with the outcome of the next line.
    mutating func tryNext() -> String? {
        let format = Int.random(in: benches.indices, using: &random)
        bytes = input(like: lines[format])
        let outcome = benches[format].run(bytes)
        let fates = ["dead: ", "stop: ", "skip: ", "drop: "]
        if outcome == "consumed" { return nil }
        guard !fates.contains(where: outcome.hasPrefix) else {
            failed += 1
            return outcome.hasPrefix("dead: ") ? nil : outcome
        }
        sent += 1
        return Array(outcome.utf8).withUnsafeBytes { text in
            var members: [JSONMember] = []
            let problem = JSONScanner.scanObject(text, members: &members)
            return problem.map { "\($0) in what was sent: \(outcome)" }
        }
    }

    private mutating func input(like line: [UInt8]) -> [UInt8] {
        guard Int.random(in: 0..<12, using: &random) > 0 else {
            let count = Int.random(in: 0...80, using: &random)
            return (0..<count).map { _ in .random(in: 0...255, using: &random) }
        }
        var bytes = line
        for _ in 0..<Int.random(in: 1...3, using: &random) { mutate(&bytes) }
        return bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: bytes.indices, using: &random)
        let length = Int.random(in: 1...min(12, bytes.count - place), using: &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: bytes[place] = .random(in: 0...255, using: &random)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.removeSubrange(place..<place + length)
        case 3: bytes.removeSubrange(place...)
        case 4: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
        case 5: bytes.swapAt(place, place + length - 1)
        default:
            bytes.insert(contentsOf: Self.pieces.randomElement(using: &random) ?? [], at: place)
        }
    }

    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
