import Glibc
import Testing

@testable import PipelineLanguage

/// Texts that nobody would write, to the lexer, the parser and the checker.
///
/// None of them may end the process or keep it busy, and whatever is said about them must be about
/// something in them. FORKTAIL_INPUTS says how many are tried, FORKTAIL_SEED which.
struct FuzzTests {
    @Test func `whatever is in a file, there is a plan or an error that can be shown`() {
        let seed = variable("FORKTAIL_SEED") ?? 1
        let wanted = variable("FORKTAIL_INPUTS") ?? 3000
        var fuzz = Fuzz(seed: UInt64(seed))
        let clock = ContinuousClock()
        let start = clock.now
        var longest = Duration.zero
        for number in 0..<wanted {
            let begin = clock.now
            let problem = fuzz.tryNext()
            longest = max(longest, begin.duration(to: clock.now))
            if let problem {
                Issue.record(
                    "\(problem): FORKTAIL_SEED=\(seed) FORKTAIL_INPUTS=\(number + 1): \(fuzz.text)"
                )
                break
            }
        }
        print(
            "\(wanted) texts: \(fuzz.compiled) compiled, \(fuzz.refused) refused with"
                + " \(fuzz.errors) errors, in \(start.duration(to: clock.now)); longest \(longest)"
        )
        #expect(fuzz.compiled > wanted / 200)
        #expect(fuzz.refused > wanted / 4)
    }

    private func variable(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }
}

/// Makes texts, one after the other, and tries them.
private struct Fuzz {
    private(set) var compiled = 0
    private(set) var refused = 0
    private(set) var errors = 0
    private var bytes: [UInt8] = []
    private var random: SplitMix

    /// What a pipeline is made of: `soup` is a row of these.
    private static let words = [
        "from", "parse", "let", "set", "remove", "rename", "keep", "drop", "reject", "if", "else",
        "include", "send", "to", "on", "error", "test", "given", "input", "expect", "match", "in",
        "not", "and", "or", "except", "null", "true", "json", "csv", "regex", "text", "topic",
        "key", "value", "headers", "timestamp", "partition", "dead_letter", "stop", "skip", "has",
        "nothing", "a", "b", "c", "int", "string", "time", "enum", "object", "lower", "mask",
        "{", "}", "(", ")", "[", "]", ",", ":", ".", "?", "??", "=", "==", "!=", "<", "=>", "=~",
        "+", "-", "*", "/", "%", "@host", "@now", "@error.kind", "@env.X", "\"t\"", "\"${a}\"",
        "\"\"", "'x'", "'(?<a>x)'", "'%Y'", "'''\n a\n '''", "\"\"\"\n${a}\n\"\"\"", "`a b`", "0",
        "7", "1.50", "5s", "1MiB", "#", "\n", "\n", "\n", "\n  ", " ", "\t", "\"", "'", "'''",
        "${", "\\", "→", "\u{0}", "&&", "!",
    ].map { Array($0.utf8) }

    private static let files = Fixture.all.map { Array($0.utf8) }
    private static let heads: [[UInt8]] = [Till.from + Till.columns, Till.from + Till.json, ""]
        .map { Array($0.utf8) }
    private static let tail = Array((Till.send + Till.onError).utf8)

    init(seed: UInt64) {
        random = SplitMix(state: seed)
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// What is wrong with the outcome of the next text.
    mutating func tryNext() -> String? {
        bytes = input()
        let included = input()
        var source = SourceText(path: "fuzz.pipeline", bytes: bytes)
        var context = PipelineContext()
        context.clusters = ["a"]
        context.read = { $0 == "t" ? .bytes(included) : .unreadable("no") }
        let (plan, diagnostics) = PipelineCompiler.compile(&source, in: context)
        let found = diagnostics.count { $0.severity == .error }
        if plan == nil { refused += 1 } else { compiled += 1 }
        errors += found
        guard (plan == nil) == (found > 0) else { return "\(found) errors, but a plan or none" }
        guard found <= 200 + bytes.count / 4 else { return "\(found) errors" }
        return problem(with: diagnostics, in: source) ?? plan.flatMap(problem)
    }

    private func problem(with diagnostics: [Diagnostic], in source: SourceText) -> String? {
        let renderer = DiagnosticRenderer(source: source)
        for diagnostic in diagnostics {
            let span = diagnostic.span
            guard span.start >= 0, span.start <= span.end, span.end <= source.bytes.count else {
                return "an error at \(span)"
            }
            guard source.location(of: span.start).line >= 1 else {
                return "a line before the first"
            }
            if renderer.text(diagnostic).isEmpty { return "an error that says nothing" }
        }
        return nil
    }

    private func problem(with plan: Plan) -> String? {
        _ = RemakeAnalysis.diagnostics(of: plan)
        _ = plan.topics
        let (source, included) = SourceText.unpack(plan.source.archive, path: plan.source.path)
        var context = PipelineContext()
        context.clusters = ["a"]
        context.read = { included[$0].map { .bytes($0) } ?? .unreadable("no") }
        let isSame = PipelineCompiler.compile(source, in: context).plan != nil
        return isSame ? nil : "its archive does not compile"
    }

    // MARK: Inputs

    private mutating func input() -> [UInt8] {
        switch Int.random(in: 0..<16, using: &random) {
        case 0:
            let count = Int.random(in: 0...120, using: &random)
            return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        case 1...5: return soup()
        case 6...10:
            // Between a good head and a good end, so that the checker has something to say.
            let head = Self.heads.randomElement(using: &random) ?? []
            return head + soup() + [0x0A] + Self.tail
        default:
            var bytes = Self.files.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&bytes) }
            return bytes
        }
    }

    private mutating func soup() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...24, using: &random) {
            bytes += Self.words.randomElement(using: &random) ?? []
            if Int.random(in: 0..<4, using: &random) > 0 { bytes.append(0x20) }
        }
        return bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return bytes = soup() }
        let place = Int.random(in: bytes.indices, using: &random)
        let length = Int.random(in: 1...min(24, bytes.count - place), using: &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.removeSubrange(place..<place + length)
        case 2: bytes.removeSubrange(place...)
        case 3: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
        case 4:
            let other = Self.files.randomElement(using: &random) ?? []
            let start = Int.random(in: other.indices, using: &random)
            bytes.replaceSubrange(place..., with: other[start...])
        case 5: bytes.swapAt(place, place + length - 1)
        default: bytes.insert(contentsOf: Self.words.randomElement(using: &random) ?? [], at: place)
        }
    }
}
