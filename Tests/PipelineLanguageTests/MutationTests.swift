import Testing

@testable import PipelineLanguage

/// Damaged pipelines: whatever the text, there is a plan or an error, and it can be shown.
struct MutationTests {
    private static let pieces = [
        "{", "}", "(", ")", "[", "]", "\"", "'", "'''", "${", "=", "==", "=>", ",", ":", "?", "??",
        "\n", " ", "*", "@", "@error.kind", "match", "if", "else", "send", "test", "on error",
        "parse", "from", "set", "let", "drop", "not", "in", "except", "null", "9", "1.5", "5s",
        "\\", "→", "\u{0}", "#", ".", "-",
    ].map { Array($0.utf8) }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `a damaged text is refused or compiled, never fatal`(seed: UInt64) {
        var generator = SplitMix(state: seed)
        for _ in 0..<250 {
            let original = Fixture.all.randomElement(using: &generator) ?? ""
            let bytes = mutate(Array(original.utf8), &generator)
            let source = SourceText(path: "damaged.pipeline", bytes: bytes)
            let (plan, diagnostics) = PipelineCompiler.compile(source)
            let hasErrors = diagnostics.contains { $0.severity == .error }
            #expect(
                (plan == nil) == hasErrors,
                "seed \(seed): \(source.text(in: Span(0, bytes.count)))"
            )
            let text = DiagnosticRenderer(source: source).text(diagnostics)
            #expect(text.isEmpty == diagnostics.isEmpty)
            #expect(diagnostics.count < 60, "seed \(seed) makes \(diagnostics.count) errors")
        }
    }

    private func mutate(_ bytes: [UInt8], _ generator: inout SplitMix) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let position = Int.random(in: 0..<max(1, bytes.count), using: &generator)
            let end = min(bytes.count, position + Int.random(in: 0...12, using: &generator))
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes.removeSubrange(position..<end)
            case 1: bytes.insert(contentsOf: bytes[position..<end], at: position)
            case 2: bytes[position] = UInt8.random(in: 0...255, using: &generator)
            case 3: bytes.removeSubrange(end...)
            default:
                let piece = Self.pieces.randomElement(using: &generator) ?? []
                bytes.insert(contentsOf: piece, at: position)
            }
            if bytes.isEmpty { bytes = [0x0A] }
        }
        return bytes
    }
}

/// A small generator of random numbers that a seed repeats.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
