import FileTailing
import Testing

struct TextDecoderTests {
    @Test(
        arguments: [
            ("UTF-16LE", [0x61, 0, 0xE9, 0, 0x3D, 0xD8, 0, 0xDE]),
            ("utf-16be", [0, 0x61, 0, 0xE9, 0xD8, 0x3D, 0xDE, 0]),
            ("UTF-32LE", [0x61, 0, 0, 0, 0xE9, 0, 0, 0, 0, 0xF6, 1, 0]),
        ] as [(String, [UInt8])]
    )
    func `Unicode in other widths becomes UTF-8`(encoding: String, bytes: [UInt8]) throws {
        #expect(try Bench(encoding).text(bytes) == "aé😀")
    }

    @Test(
        arguments: [
            ("ISO-8859-1", "é", [0xE9]), ("latin1", "é", [0xE9]), ("ISO-8859-15", "€", [0xA4]),
            ("windows-1252", "€", [0x80]), ("cp1251", "Ж", [0xC6]), ("KOI8-R", "Ж", [0xF6]),
            ("Shift_JIS", "表", [0x95, 0x5C]), ("CP932", "①", [0x87, 0x40]),
            ("EUC-JP", "表", [0xC9, 0xBD]), ("GBK", "中", [0xD6, 0xD0]),
            ("GB18030", "😀", [0x94, 0x39, 0xFC, 0x36]), ("Big5", "中", [0xA4, 0xA4]),
            ("EUC-KR", "한", [0xC7, 0xD1]),
        ] as [(String, String, [UInt8])]
    )
    func `encodings of countries are known`(
        encoding: String,
        text: String,
        bytes: [UInt8]
    ) throws {
        #expect(try Bench(encoding).text(bytes) == text)
    }

    @Test(arguments: ["ISO-2022-JP", "ISO-2022-KR", "UTF-7", "UTF-7-IMAP", "BIG5-HKSCS", "TSCII"])
    func `an encoding that remembers is refused`(encoding: String) {
        let error = #expect(throws: TextDecoderError.self) { try TextDecoder(encoding: encoding) }
        #expect(error?.description.hasPrefix("\"\(encoding)\" cannot be read from the mid") == true)
    }

    @Test(arguments: ["", "UTF-99", "klingon", "latin1//IGNORE", "a,b"])
    func `a name that nobody knows is refused`(encoding: String) {
        let error = #expect(throws: TextDecoderError.self) { try TextDecoder(encoding: encoding) }
        #expect(error?.description.hasPrefix("no encoding is called \"\(encoding)\"") == true)
    }
}

// MARK: - Byte order

extension TextDecoderTests {
    @Test func `the mark at a file's start says the byte order`() throws {
        let bench = try Bench("UTF-16")
        #expect(bench.text([0xFE, 0xFF, 0, 0x61], atFileStart: true) == "\u{FEFF}a")
        #expect(bench.text([0, 0x62]) == "b")
        #expect(bench.text([0xFF, 0xFE, 0x61, 0], atFileStart: true) == "\u{FEFF}a")
        #expect(bench.text([0x61, 0], atFileStart: true) == "a")
        let wide = try Bench("UTF-32")
        #expect(wide.text([0, 0, 0xFE, 0xFF, 0, 0, 0, 0x61], atFileStart: true) == "\u{FEFF}a")
        #expect(wide.text([0xFF, 0xFE, 0, 0, 0x61, 0, 0, 0], atFileStart: true) == "\u{FEFF}a")
    }

    @Test func `in the middle of a file its head says the byte order`() throws {
        let bench = try Bench("UTF-16")
        bench.use(head: [0xFE, 0xFF, 0, 0x61])
        #expect(bench.text([0, 0x62]) == "b")
        bench.use(head: [0x61, 0, 0x62, 0])
        #expect(bench.text([0x62, 0]) == "b")
    }

    @Test func `a declared byte order stands against a mark`() throws {
        let bench = try Bench("UTF-16BE")
        bench.use(head: [0xFF, 0xFE, 0, 0])
        #expect(bench.text([0, 0x62]) == "b")
    }
}

// MARK: - What is not whole, and what is not text

extension TextDecoderTests {
    @Test func `half a character waits for the rest, but not at the end`() throws {
        let bench = try Bench("Shift_JIS")
        #expect(bench.text([0x61, 0x95]) == "a")
        #expect(bench.decoder.sourceLength(ofDecoded: 1) == 1)
        #expect(bench.decoder.replacedCount == 0)
        #expect(bench.text([0x61, 0x95], atEnd: true) == "a\u{FFFD}")
        #expect(bench.decoder.sourceLength(ofDecoded: 4) == 2)
        let wide = try Bench("UTF-16LE")
        #expect(wide.text([0x61, 0, 0x3D, 0xD8, 0]) == "a")
        #expect(wide.text([0x61, 0, 0x3D, 0xD8, 0], atEnd: true) == "a\u{FFFD}\u{FFFD}")
    }

    @Test func `what is no character is replaced and counted, and a newline survives`() throws {
        let bench = try Bench("Shift_JIS")
        #expect(bench.text([0x61, 0x95, 0x0A, 0xFF, 0x62]) == "a\u{FFFD}\n\u{FFFD}b")
        #expect(bench.decoder.replacedCount == 2)
        #expect(bench.decoder.replacedCount(inDecoded: 5) == 1)
        #expect(
            (0...9).map { bench.decoder.sourceLength(ofDecoded: $0) } == [
                0, 1, 1, 1, 2, 3, 3, 3, 4, 5,
            ]
        )
        let wide = try Bench("UTF-16LE")
        #expect(wide.text([0, 0xDC, 0x3D, 0xD8, 0x61, 0]) == "\u{FFFD}\u{FFFD}a")
        #expect(wide.decoder.sourceLength(ofDecoded: 6) == 4)
        let single = try Bench("windows-1252")
        #expect(single.text([0x81, 0x61]) == "\u{FFFD}a")
        #expect(single.decoder.replacedCount == 1)
    }

    @Test func `an accent does not hold its letter back`() throws {
        let bench = try Bench("windows-1258")
        #expect(bench.text([0x61]) == "a")
        #expect(bench.text([0x61, 0xCC]) == "a\u{300}")
        #expect(bench.decoder.sourceLength(ofDecoded: 1) == 1)
    }
}

// MARK: - Places

extension TextDecoderTests {
    private static let encodings = [
        "UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE", "Shift_JIS", "CP932", "EUC-JP", "GBK",
        "GB18030", "Big5", "EUC-KR", "EUC-TW", "UHC", "JOHAB", "ISO-8859-1", "windows-1255",
        "KOI8-R", "UTF-8",
    ]

    @Test(arguments: encodings)
    func `in chunks of any size the text is that of the whole`(encoding: String) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for round in 0..<40 {
            let length = round.isMultiple(of: 10) ? 20_000 : Int.random(in: 0...60, using: &random)
            let bytes = randomBytes(length, &random)
            let whole = try Bench(encoding)
            let expected = whole.bytes(bytes, atEnd: true)
            let bench = try Bench(encoding)
            var found: [UInt8] = []
            var offset = 0
            var end = 0
            while end < bytes.count {
                let step = Int.random(in: 1...max(1, length / 5), using: &random)
                end = min(max(end, offset) + step, bytes.count)
                let atEnd = end == bytes.count
                let text = bench.bytes(Array(bytes[offset..<end]), atEnd: atEnd)
                let taken = atEnd ? text.count : Int.random(in: 0...text.count, using: &random)
                let consumed = bench.decoder.sourceLength(ofDecoded: taken)
                let edge = edge(of: taken, in: text)
                #expect(
                    whole.decoder.sourceLength(ofDecoded: found.count + edge) == offset + consumed,
                    "\(encoding), seed \(seed)"
                )
                found += text[..<edge]
                offset += consumed
            }
            #expect(found == expected, "\(encoding), seed \(seed)")
            #expect(offset == bytes.count)
        }
    }

    @Test func `bytes that promise more than any character has do not hold the decoder up`() throws
    {
        // Six bytes were a character once; iconv asks for the last of them before it refuses.
        let bytes: [UInt8] = [0x61, 0xFD, 0x85, 0xB6, 0xBE, 0xA0, 0x80, 0x62, 0x63]
        let bench = try Bench("UTF-8")
        let text = bench.bytes(bytes, atEnd: true)
        #expect(
            String(decoding: text, as: UTF8.self) == "a\(String(repeating: "\u{FFFD}", count: 6))bc"
        )
        let places = (0...text.count).map { bench.decoder.sourceLength(ofDecoded: $0) }
        #expect(places == places.sorted() && places.last == bytes.count)
    }

    @Test func `what iconv refuses and counts as read takes nothing after it along`() throws {
        let bench = try Bench("UHC")
        let text = bench.bytes([0x61, 0xA2, 0xE8, 0x0A, 0x62], atEnd: true)
        #expect(String(decoding: text, as: UTF8.self) == "a\u{FFFD}\u{FFFD}\nb")
        let places = (0...text.count).map { bench.decoder.sourceLength(ofDecoded: $0) }
        #expect(places == places.sorted() && places.last == 5)
    }

    @Test(arguments: encodings)
    func `every place is that of decoding what stands before it`(encoding: String) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let bytes = randomBytes(3_000, &random)
        let bench = try Bench(encoding)
        let text = bench.bytes(bytes, atEnd: true)
        let inOrder = (0...text.count).map { bench.decoder.sourceLength(ofDecoded: $0) }
        #expect(inOrder == inOrder.sorted())
        for count in (0...text.count).shuffled(using: &random) {
            #expect(bench.decoder.sourceLength(ofDecoded: count) == inOrder[count], "seed \(seed)")
        }
        let prefix = try Bench(encoding)
        for count in stride(from: 0, through: text.count, by: 97) {
            let edge = edge(of: count, in: text)
            let head = Array(bytes[..<inOrder[count]])
            #expect(prefix.bytes(head, atEnd: true) == Array(text[..<edge]), "seed \(seed)")
        }
    }

    @Test(arguments: [
        ("UTF-16LE", "日本é😀"), ("UTF-16BE", "日本é😀"), ("Shift_JIS", "表示ソ日本"),
        ("GBK", "中文日志"), ("ISO-8859-1", "éàÿ"),
    ])
    func `a line's offset is where it stands in the file`(
        encoding: String,
        alphabet: String
    ) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var lines: [String] = []
        var offsets: [Int64] = []
        var file: [UInt8] = []
        for _ in 0..<2_000 {
            let letters = (0..<Int.random(in: 1...30, using: &random)).map { _ -> Character in
                (alphabet + "a\\ ").randomElement(using: &random) ?? "a"
            }
            lines.append(String(letters))
            offsets.append(Int64(file.count))
            file += try encoded(String(letters) + "\r\n", encoding)
        }
        let bench = try Bench(encoding)
        var framer = LineFramer(framing: .lines, maxLine: 1_000)
        var found: [(String, Int64)] = []
        var offset = 0
        while offset < file.count {
            let end = min(offset + Int.random(in: 300...9_000, using: &random), file.count)
            let text = bench.bytes(Array(file[offset..<end]), atFileStart: offset == 0)
            framer.begin(chunkAt: Int64(offset))
            text.withUnsafeBytes { buffer in
                while let event = framer.next(in: buffer, atEnd: false) {
                    let start = bench.decoder.sourceLength(ofDecoded: event.range.lowerBound)
                    found.append(
                        (
                            String(decoding: buffer[event.range], as: UTF8.self),
                            Int64(offset + start)
                        )
                    )
                }
            }
            offset += bench.decoder.sourceLength(ofDecoded: framer.position)
        }
        #expect(found.map(\.0) == lines, "seed \(seed)")
        #expect(found.map(\.1) == offsets, "seed \(seed)")
    }

    /// Characters of every length, among bytes that mean nothing.
    private func randomBytes(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
        let isText = Bool.random(using: &random)
        return (0..<count).map { _ in
            if isText, Int.random(in: 0..<3, using: &random) > 0 {
                return UInt8.random(in: 0...0x7F, using: &random)
            }
            return UInt8.random(in: 0...0xFF, using: &random)
        }
    }

    private func edge(of count: Int, in text: [UInt8]) -> Int {
        var edge = count
        while edge < text.count, text[edge] & 0xC0 == 0x80 { edge -= 1 }
        return edge
    }

    /// A text in the encodings that the tests write.
    private func encoded(_ text: String, _ encoding: String) throws -> [UInt8] {
        switch encoding {
        case "UTF-16LE": return text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        case "UTF-16BE": return text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        case "ISO-8859-1": return text.unicodeScalars.map { UInt8($0.value) }
        default: break
        }
        let japanese: [Character: [UInt8]] = [
            "表": [0x95, 0x5C], "示": [0x8E, 0xA6], "ソ": [0x83, 0x5C], "日": [0x93, 0xFA],
            "本": [0x96, 0x7B], "\r\n": [0x0D, 0x0A],
        ]
        let chinese: [Character: [UInt8]] = [
            "中": [0xD6, 0xD0], "文": [0xCE, 0xC4], "日": [0xC8, 0xD5], "志": [0xD6, 0xBE],
            "\r\n": [0x0D, 0x0A],
        ]
        let table = encoding == "GBK" ? chinese : japanese
        return try text.flatMap { try table[$0] ?? [#require($0.asciiValue)] }
    }
}

/// A decoder and the chunk that it holds on to.
private final class Bench {
    let decoder: TextDecoder
    private var chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)

    init(_ encoding: String) throws {
        decoder = try TextDecoder(encoding: encoding)
    }

    deinit {
        chunk.deallocate()
    }

    func bytes(_ bytes: [UInt8], atFileStart: Bool = false, atEnd: Bool = false) -> [UInt8] {
        chunk.deallocate()
        chunk = .allocate(byteCount: bytes.count, alignment: 1)
        chunk.copyBytes(from: bytes)
        let source = UnsafeRawBufferPointer(chunk)
        return Array(decoder.decode(source, atFileStart: atFileStart, atEnd: atEnd))
    }

    func text(_ bytes: [UInt8], atFileStart: Bool = false, atEnd: Bool = false) -> String {
        String(
            decoding: self.bytes(bytes, atFileStart: atFileStart, atEnd: atEnd),
            as: UTF8.self
        )
    }

    func use(head: [UInt8]) {
        head.withUnsafeBytes { decoder.use(head: $0) }
    }
}
