import Testing

@testable import PipelineLanguage

#if canImport(Glibc)
    import Glibc
#endif

struct FormatterProofTests {
    /// How many pipelines are made; FORKTAIL_INPUTS asks for more.
    private static let count = getenv("FORKTAIL_INPUTS").flatMap { Int(String(cString: $0)) } ?? 100
    private static let seed = getenv("FORKTAIL_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1

    @Test(arguments: Fixture.all)
    func `formatting keeps the plan and the comments of a fixture`(text: String) throws {
        try prove(text, "a fixture")
    }

    @Test func `formatting keeps the plan and the comments of generated pipelines`() throws {
        print("seeds \(Self.seed)..<\(Self.seed + UInt64(Self.count)), replay one with")
        print("FORKTAIL_SEED=… FORKTAIL_INPUTS=1 swift test --filter FormatterProofTests")
        for seed in Self.seed..<Self.seed + UInt64(Self.count) {
            var generator = PipelineGenerator(seed: seed)
            let text = generator.pipeline()
            try prove(text, "seed \(seed)")
            try ExportTests.prove(text)
        }
    }

    @Test func `what can be read of damaged pipelines is laid out for good`() throws {
        var random = SplitMix(state: Self.seed)
        var readable = 0
        for seed in Self.seed..<Self.seed + UInt64(Self.count) {
            var generator = PipelineGenerator(seed: seed)
            var bytes = Array(generator.pipeline().utf8)
            for _ in 0..<20 {
                Self.damage(&bytes, &random)
                let first = Formatted(bytes: bytes)
                guard let output = first.output else { break }
                readable += 1
                let name = "seed \(seed): \(String(decoding: bytes, as: UTF8.self))"
                try #require(Formatted(bytes: output).output == output, "\(name)")
                try #require(first.comments(in: output) == first.comments(in: bytes), "\(name)")
            }
        }
        #expect(readable > Self.count / 2)
    }

    /// Takes out or doubles a few characters, or adds some of other places.
    private static func damage(_ bytes: inout [UInt8], _ random: inout SplitMix) {
        guard !bytes.isEmpty else { return }
        let start = Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, start + Int.random(in: 1...4, using: &random))
        let piece = bytes[start..<end]
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes.removeSubrange(start..<end)
        case 1: bytes.insert(contentsOf: piece, at: start)
        case 2: bytes.insert(contentsOf: piece, at: Int.random(in: 0..<bytes.count, using: &random))
        default: bytes.insert(contentsOf: [0x20, 0x0A, 0x2C].shuffled(using: &random), at: start)
        }
    }

    private func prove(_ text: String, _ name: String) throws {
        let first = Formatted(text)
        let source = first.source
        let compiled = PipelineCompiler.compile(source, in: .withAnyCluster)
        let errors = DiagnosticRenderer(source: source).text(compiled.diagnostics)
        let plan = try #require(compiled.plan, "\(name): \(errors)\n\(text)")
        let output = try #require(first.output, "\(name)")
        let second = Formatted(bytes: output)
        let twice = try #require(second.text, "\(name):\n\(first.text ?? "")")
        try #require(twice == first.text, "\(name):\n\(text)")
        let after = try #require(
            PipelineCompiler.compile(second.source, in: .withAnyCluster).plan,
            "\(name)"
        )
        try #require(structure(of: after) == structure(of: plan), "\(name):\n\(text)")
        let comments = first.comments(in: source.bytes)
        try #require(first.comments(in: output) == comments, "\(name):\n\(text)")
    }
}
