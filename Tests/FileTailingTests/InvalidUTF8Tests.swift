import FileTailing
import Testing

struct InvalidUTF8Tests {
    @Test(arguments: ["", "plain", "é€😀", "\u{FFFD}", "a long line of plain text, then é"])
    func `text that is valid stays where it is`(text: String) {
        #expect(replaced(Array(text.utf8)) == ([], 0))
    }

    @Test(
        arguments: [
            ([0x61, 0xFF, 0x62], "a\u{FFFD}b", 1),
            ([0xE2, 0x82], "\u{FFFD}", 1),
            ([0xE2, 0x82, 0x61, 0x80], "\u{FFFD}a\u{FFFD}", 2),
            ([0xC0, 0xAF], "\u{FFFD}\u{FFFD}", 2),
            ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}", 3),
            ([0xF4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}", 4),
        ] as [([UInt8], String, Int)]
    )
    func `each sequence that is none is replaced once`(bytes: [UInt8], text: String, count: Int) {
        #expect(replaced(bytes) == (Array(text.utf8), count))
    }

    @Test func `what comes out is what the standard library reads`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let pieces: [[UInt8]] = [
            [0x61], Array("é€😀 and plain text".utf8), [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
            [0x80], [0xED, 0xA0], [0xF4, 0x90], [0xE0, 0x80], [0xFF],
        ]
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 1...12, using: &random)).flatMap { _ in
                pieces.randomElement(using: &random) ?? []
            }
            let (found, count) = replaced(bytes)
            let expected = Array(String(decoding: bytes, as: UTF8.self).utf8)
            #expect((count == 0 ? bytes : found) == expected, "seed \(seed)")
        }
    }

    private func replaced(_ bytes: [UInt8]) -> ([UInt8], Int) {
        var output: [UInt8] = [1]
        let count = bytes.withUnsafeBytes { InvalidUTF8.replace(in: $0, into: &output) }
        return (output, count)
    }
}
