import FileTailing
import Testing

struct LineFramerTests {
    @Test func `a line ends at a newline, without the carriage return before it`() {
        #expect(frame("a\r\nb\n\r\nc\rd\n") == ["a", "b", "c\rd"])
        #expect(frame("a\r\n\r\n\nb\n", keepEmpty: true) == ["a", "", "", "b"])
    }

    @Test func `an unfinished line waits, and is a record at the end`() {
        #expect(frame("a\nb") == ["a"])
        #expect(frame("a\nb", atEnd: true) == ["a", "b"])
        #expect(frame("", atEnd: true) == [])
    }

    @Test func `lines are numbered as in the file, also where some are empty`() {
        var framer = LineFramer(framing: .lines, maxLine: 100, line: 10)
        let events = framer.events(of: "a\n\n\nb\n")
        #expect(events.map(\.line) == [11, 14])
        #expect(framer.line == 14)
    }

    @Test func `an event's end is where the next one begins`() {
        var framer = LineFramer(framing: .lines, maxLine: 100)
        let events = framer.events(of: "ab\r\nc\nd")
        #expect(events.map(\.range) == [0..<2, 4..<5])
        #expect(events.map(\.end) == [4, 6])
        #expect(framer.position == 6)
    }

    @Test func `a framer that is copied can give an event back`() {
        var framer = LineFramer(framing: .lines, maxLine: 100)
        _ = framer.events(of: "")
        let before = framer
        let first = framer.events(of: "a\nb\n").first
        framer = before
        #expect(framer.events(of: "a\nb\n").first == first)
    }
}

// MARK: - The head of a file

extension LineFramerTests {
    @Test func `a byte-order mark is not part of the first line`() {
        #expect(frame("\u{FEFF}a\nb\n") == ["a", "b"])
        var framer = LineFramer(framing: .lines, maxLine: 100)
        #expect(framer.events(of: "\u{FEFF}a\n").map(\.range) == [3..<4])
    }

    @Test func `half a byte-order mark waits`() {
        var framer = LineFramer(framing: .lines, maxLine: 100)
        #expect(framer.events(of: bytes([0xEF, 0xBB])).isEmpty)
        #expect(framer.position == 0)
        #expect(framer.events(of: bytes([0xEF, 0xBB, 0xBF, 0x61, 0x0A])).map(\.range) == [3..<4])
    }

    @Test func `a mark within the file is a character like any other`() {
        #expect(frame("a\n\u{FEFF}b\n") == ["a", "\u{FEFF}b"])
    }

    @Test func `the hole that a stale writer leaves is passed, across chunks too`() {
        var framer = LineFramer(framing: .lines, maxLine: 10)
        let hole = [UInt8](repeating: 0, count: 50)
        #expect(framer.events(of: bytes(hole)).isEmpty)
        #expect(framer.position == 50)
        let events = framer.events(of: bytes(hole + Array("ab\n".utf8)), at: 50)
        #expect(events.map(\.range) == [50..<52])
        #expect(events.map(\.line) == [1])
    }

    @Test func `a NUL in a line stays`() {
        #expect(frame("a\n\0b\n") == ["a", "\0b"])
    }
}

// MARK: - Too long

extension LineFramerTests {
    @Test func `a line of just the limit is whole, one byte more is cut`() {
        var framer = LineFramer(framing: .lines, maxLine: 4)
        let events = framer.events(of: "1234\r\n12345\nx\n")
        #expect(events.map(\.isCut) == [false, true, false])
        #expect(events.map(\.range.count) == [4, 4, 1])
        #expect(events.map(\.line) == [1, 2, 3])
    }

    @Test func `a line without end is cut once and then skipped with bounded memory`() {
        var framer = LineFramer(framing: .lines, maxLine: 4)
        var events = framer.events(of: "123456")
        #expect(events.map(\.isCut) == [true])
        #expect(framer.position == 6)
        events = framer.events(of: "789", at: 6)
        #expect(events.isEmpty && framer.position == 3)
        events = framer.events(of: "0\nab\n", at: 9)
        #expect(events.map(\.range) == [2..<4])
        #expect(events.map(\.line) == [2])
    }

    @Test func `skipping goes on after a restart from the checkpoint`() {
        var framer = LineFramer(framing: .lines, maxLine: 4)
        _ = framer.events(of: "123456")
        var resumed = LineFramer(
            framing: .lines,
            maxLine: 4,
            state: framer.state,
            line: framer.line
        )
        #expect(resumed.events(of: "78\nab\n", at: 6).map(\.range) == [3..<5])
    }

    @Test func `nothing is cut inside a character`() {
        #expect(frame("aé€é\n", maxLine: 4) == ["aé"])
        #expect(frame("a€b\n", maxLine: 4) == ["a€"])
        #expect(frame("😀😀\n", maxLine: 7) == ["😀"])
    }
}

// MARK: - CSV

extension LineFramerTests {
    @Test func `a quoted field may hold newlines, quotes and separators`() {
        let text = "a,\"b\nc\",d\ne,\"f\"\"\n\",g\n\"h\",\"i,\n\"\nj\n"
        #expect(csv(text) == ["a,\"b\nc\",d", "e,\"f\"\"\n\",g", "\"h\",\"i,\n\"", "j"])
    }

    @Test func `a quote inside an unquoted field is a character`() {
        #expect(csv("5\" disk,x\n6\" disk,y\n") == ["5\" disk,x", "6\" disk,y"])
        #expect(csv("\"a\"b\"c,d\ne\n") == ["\"a\"b\"c,d", "e"])
    }

    @Test func `a record with an open quote waits for the rest`() {
        var framer = LineFramer(framing: .csv(separator: 0x2C, quote: 0x22), maxLine: 100)
        #expect(framer.events(of: "a\nb,\"c\nd").map(\.range) == [0..<1])
        #expect(framer.position == 2)
        let events = framer.events(of: "b,\"c\nd\",e\n", at: 2)
        #expect(events.map(\.range) == [0..<9])
        #expect(events.map(\.lineCount) == [2])
        #expect(events.map(\.line) == [2])
        #expect(framer.line == 3)
    }

    @Test func `a quote that nobody closes costs its line and not the file`() {
        #expect(csv("\"a\nb\nc\n", maxLine: 4) == ["\"a", "b", "c"])
        #expect(csv("\"a\nb\n", atEnd: true) == ["\"a", "b"])
    }

    @Test func `another separator and quote`() {
        var framer = LineFramer(framing: .csv(separator: 0x3B, quote: 0x27), maxLine: 100)
        #expect(framer.events(of: "a;'b\n';\"\nc\n").map(\.range) == [0..<8, 9..<10])
    }
}

// MARK: - Multi-line events

extension LineFramerTests {
    @Test func `lines join the last one that starts an event`() {
        #expect(groups("> a\nb\nc\n> d\n> e\nf\n") == ["> a\nb\nc", "> d"])
        #expect(groups("> a\nb\n> e\nf\n", atEnd: true) == ["> a\nb", "> e\nf"])
        #expect(groups("> a\r\nb\r\n> c\n") == ["> a\r\nb"])
        #expect(groups("> a\nb", atEnd: true) == ["> a\nb"])
    }

    @Test func `lines before the first start are an event`() {
        #expect(groups("x\ny\n> a\n> b\n") == ["x\ny", "> a"])
    }

    @Test func `an event knows its lines`() {
        var framer = LineFramer(framing: .multiline(.startsWith), maxLine: 100)
        let events = framer.events(of: "> a\nb\nc\n> d\n> e\n", matches: isStart)
        #expect(events.map(\.lineCount) == [3, 1])
        #expect(events.map(\.line) == [1, 4])
        #expect(framer.line == 4)
    }

    @Test func `of an event that is too long the rest is skipped up to the next start`() {
        #expect(groups("> a\nbbbb\ncccc\ndddd\n> e\n> f\n", maxLine: 8) == ["> a\nbbbb", "> e"])
        var framer = LineFramer(framing: .multiline(.startsWith), maxLine: 4)
        #expect(framer.events(of: "> aaaaa", matches: isStart).map(\.isCut) == [true])
        let rest = framer.events(of: "aa\nb\n> c\n> d\n", at: 7, matches: isStart)
        #expect(rest.map(\.range) == [5..<8])
        #expect(rest.map(\.line) == [3])
    }
}

// MARK: - Other multi-line events

extension LineFramerTests {
    @Test func `a line that ends an event makes it whole at once`() {
        #expect(groups("a\nb\n> c\nd\n", by: .endsWith) == ["a\nb\n> c"])
        #expect(groups("> a\r\n> b\r\n", by: .endsWith) == ["> a", "> b"])
        #expect(groups("a\n> b\nc\nd", by: .endsWith, atEnd: true) == ["a\n> b", "c\nd"])
    }

    @Test func `a line that continues joins the event above it`() {
        #expect(groups("a\n> b\n> c\nd\ne\n", by: .continuesWith) == ["a\n> b\n> c", "d"])
        #expect(groups("> a\nb\n\n", by: .continuesWith) == ["> a", "b"])
    }

    @Test func `a line that is continued is joined by the next`() {
        let text = "a\n> b\n> c\nd\n> e\n"
        #expect(groups(text, by: .continuedBy) == ["a", "> b\n> c\nd"])
        #expect(groups(text, by: .continuedBy, atEnd: true) == ["a", "> b\n> c\nd", "> e"])
    }

    @Test func `the rest of an event that is too long is skipped to its last line`() {
        let ended = groups("aaaa\nb\n> c\nd\n> e\n", by: .endsWith, maxLine: 5)
        #expect(ended == ["aaaa\n", "d\n> e"])
        #expect(groups("> aa\n> b\nc\nd\n", by: .continuedBy, maxLine: 5) == ["> aa\n", "d"])
    }

    @Test func `a last line without end is skipped to its newline and no further`() {
        var framer = LineFramer(framing: .multiline(.endsWith), maxLine: 4)
        #expect(framer.events(of: "> 123456", matches: isStart).map(\.isCut) == [true])
        #expect(framer.state == .skippingLastLine)
        var resumed = framer.resumed()
        let events = resumed.events(of: "78\n> c\n", at: 8, matches: isStart)
        #expect(events.map(\.range) == [3..<6])
        #expect(events.map(\.line) == [2])
    }

    @Test(arguments: [
        LineFramer.Multiline.startsWith, .endsWith, .continuesWith, .continuedBy,
    ])
    func `in chunks of any size the groups are those of the whole`(kind: LineFramer.Multiline) {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let alphabet = Array("ab>\n\n".utf8)
            let text = (0..<Int.random(in: 0...120, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            let framer = LineFramer(
                framing: .multiline(kind),
                maxLine: Int.random(in: 1...20, using: &random),
                longLines: Bool.random(using: &random) ? .cut : .skip
            )
            var whole = framer
            let expected = whole.events(of: text, atEnd: true, matches: isStart)
            #expect(
                inChunks(text, framer, &random) == expected.map { Array(text[$0.range]) },
                "seed \(seed)"
            )
        }
    }
}

// MARK: - Skipped instead of cut

extension LineFramerTests {
    @Test func `a line over the limit is passed over and counted`() {
        var framer = LineFramer(framing: .lines, maxLine: 4, longLines: .skip)
        let events = framer.events(of: "1234\r\n12345\nx\n")
        #expect(events.map(\.range) == [0..<4, 12..<13])
        #expect(events.map(\.line) == [1, 3])
        #expect(framer.skippedCount == 1)
    }

    @Test func `a line without end is passed over as it comes, also after a restart`() {
        var framer = LineFramer(framing: .lines, maxLine: 4, longLines: .skip)
        #expect(framer.events(of: "123456").isEmpty)
        #expect(framer.position == 6)
        #expect(framer.skippedCount == 1)
        var resumed = framer.resumed()
        let events = resumed.events(of: "78\nab\n", at: 6)
        #expect(events.map(\.range) == [3..<5])
        #expect(events.map(\.line) == [2])
        #expect(resumed.skippedCount == 0)
    }

    @Test func `a framer that is copied gives a skipped line back too`() {
        let framer = LineFramer(framing: .lines, maxLine: 4, longLines: .skip)
        for _ in 0..<2 {
            var copy = framer
            #expect(copy.events(of: "12345\nx\n").count == 1)
            #expect(copy.skippedCount == 1)
        }
    }

    @Test func `a record over the limit is passed over to its true end, in chunks of any size`() {
        let text = Array("1,\"a\nb,\"\"\n\"\"\",\"c\nd\",e\n2,f\n".utf8)
        for length in 1...text.count {
            var framer = LineFramer(
                framing: .csv(separator: 0x2C, quote: 0x22),
                maxLine: 5,
                longLines: .skip
            )
            var events: [FramedEvent] = []
            var places: [Int] = []
            var offset = 0
            var end = 0
            while end < text.count {
                end = min(max(end, offset) + length, text.count)
                let new = framer.events(of: Array(text[offset..<end]), at: Int64(offset))
                places += new.map { $0.range.lowerBound + offset }
                events += new
                offset += framer.position
                framer = framer.resumed()
            }
            #expect(places == [22], "\(length)")
            #expect(events.map(\.line) == [5], "\(length)")
            #expect(offset == text.count)
        }
    }

    @Test func `a quote that nobody closes is given up after many limits`() {
        var framer = LineFramer(
            framing: .csv(separator: 0x2C, quote: 0x22),
            maxLine: 4,
            longLines: .skip
        )
        _ = framer.events(of: "\"12345")
        #expect(framer.state == .skippingQuoted)
        #expect(framer.events(of: String(repeating: "x\n", count: 40), at: 6).isEmpty)
        #expect(framer.events(of: "y\nz\n", at: 86).map(\.range) == [2..<3])
        #expect(framer.line == 42)
    }

    @Test func `lines over the limit together are passed over up to the next start`() {
        var framer = LineFramer(framing: .multiline(.startsWith), maxLine: 8, longLines: .skip)
        let text = "> a\nbbbb\nc\nd\n> e\n> f\n"
        let events = framer.events(of: text, matches: isStart)
        #expect(events.map(\.range) == [13..<16])
        #expect(events.map(\.line) == [5])
        #expect(framer.skippedCount == 1)
    }
}

// MARK: - The limit in records and groups

extension LineFramerTests {
    @Test func `a record whose quotes are closed is cut, and its rest skipped to its true end`() {
        var framer = LineFramer(framing: .csv(separator: 0x2C, quote: 0x22), maxLine: 8)
        let events = framer.events(of: "\"a\nb\",12345")
        #expect(events.map(\.isCut) == [true])
        #expect(events.map(\.range) == [0..<8])
        #expect(framer.state == .skippingRecord)
        var resumed = framer.resumed()
        let rest = resumed.events(of: ",\"c\nd\"\ne,f\n", at: 12)
        #expect(rest.map(\.range) == [7..<10])
        #expect(rest.map(\.line) == [4])
    }

    @Test func `the last record may end without a newline and hold one`() {
        #expect(csv("a\nb,\"c\nd\"", atEnd: true) == ["a", "b,\"c\nd\""])
        #expect(csv("a\nb,\"c\nd\",e", atEnd: true) == ["a", "b,\"c\nd\",e"])
    }

    @Test func `a group of just the limit is whole, though half a line follows it`() {
        var framer = LineFramer(framing: .multiline(.startsWith), maxLine: 8)
        #expect(framer.events(of: "> a\nbbbb\n> ccccc", matches: isStart).isEmpty)
        let events = framer.events(of: "> a\nbbbb\n> cccccc\n> d\n", matches: isStart)
        #expect(events.map(\.isCut) == [false, false])
        #expect(events.map(\.lineCount) == [2, 1])
    }

    @Test func `a line without end starts an event if its head does`() {
        var framer = LineFramer(framing: .multiline(.startsWith), maxLine: 4)
        var events = framer.events(of: "> a\n> bbbbbbb", matches: isStart)
        #expect(events.map(\.isCut) == [false, true])
        events = framer.events(of: "bb\nc\n> d\n> e\n", at: 13, matches: isStart)
        #expect(events.map(\.line) == [4])
    }
}

// MARK: - Against a splitter with no thought of speed

extension LineFramerTests {
    @Test(arguments: [false, true])
    func `in chunks of any size the events are those of a naive splitter`(isCSV: Bool) {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let text = randomText(isCSV: isCSV, &random)
            let keepEmpty = Bool.random(using: &random)
            let maxLine = Int.random(in: 1...40, using: &random)
            let expected = naive(text, isCSV: isCSV, keepEmpty, isCSV ? 1000 : maxLine)
            let framing: LineFramer.Framing =
                isCSV ? .csv(separator: 0x2C, quote: 0x22) : .lines
            let framer = LineFramer(
                framing: framing,
                maxLine: isCSV ? 1000 : maxLine,
                keepEmpty: keepEmpty
            )
            #expect(inChunks(text, framer, &random) == expected, "seed \(seed)")
        }
    }

    private func inChunks(
        _ text: [UInt8],
        _ start: LineFramer,
        _ random: inout SeededGenerator
    ) -> [[UInt8]] {
        var framer = start
        var result: [[UInt8]] = []
        var offset = 0
        var length = 0
        while offset < text.count {
            length += Int.random(in: 1...30, using: &random)
            let end = min(offset + length, text.count)
            let chunk = Array(text[offset..<end])
            let events = framer.events(
                of: bytes(chunk),
                at: Int64(offset),
                atEnd: end == text.count,
                matches: isStart
            )
            result += events.map { Array(chunk[$0.range]) }
            offset += framer.position
            if framer.position > 0 { length = 0 }
        }
        return result
    }

    private func naive(
        _ text: [UInt8],
        isCSV: Bool,
        _ keepEmpty: Bool,
        _ maxLine: Int
    ) -> [[UInt8]] {
        var lines: [[UInt8]] = [[]]
        var isQuoted = false
        for byte in text {
            if isCSV, byte == 0x22 { isQuoted.toggle() }
            if byte == 0x0A, !isQuoted {
                if lines[lines.count - 1].last == 0x0D { lines[lines.count - 1].removeLast() }
                lines.append([])
            } else {
                lines[lines.count - 1].append(byte)
            }
        }
        if lines.last == [] { lines.removeLast() }
        return lines.filter { keepEmpty || !$0.isEmpty }.map { Array($0.prefix(maxLine)) }
    }

    private func randomText(isCSV: Bool, _ random: inout SeededGenerator) -> [UInt8] {
        if isCSV { return randomRecords(&random) }
        let alphabet = Array("abc\r\n\n\0,\"".utf8)
        let body = (0..<Int.random(in: 0...200, using: &random)).map { _ in
            alphabet.randomElement(using: &random) ?? 0
        }
        return [0x61] + body
    }

    private func randomRecords(_ random: inout SeededGenerator) -> [UInt8] {
        let fields = ["a", "", "bc", "\"\"", "\"x\ny\"", "\"p\"\"q\"", "\"\n\n\"", "\",\""]
        var text = ""
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            let count = Int.random(in: 1...4, using: &random)
            let row = (0..<count).map { _ in fields.randomElement(using: &random) ?? "" }
            text += row.joined(separator: ",") + (Bool.random(using: &random) ? "\r\n" : "\n")
        }
        return Array(text.utf8)
    }
}

// MARK: - Helpers

private func bytes(_ bytes: [UInt8]) -> [UInt8] { bytes }

private func isStart(_ line: UnsafeRawBufferPointer) -> Bool {
    line.first == UInt8(ascii: ">")
}

private func frame(
    _ text: String,
    maxLine: Int = 100,
    keepEmpty: Bool = false,
    atEnd: Bool = false
) -> [String] {
    let framer = LineFramer(framing: .lines, maxLine: maxLine, keepEmpty: keepEmpty)
    return framer.texts(of: text, atEnd: atEnd)
}

private func csv(_ text: String, maxLine: Int = 100, atEnd: Bool = false) -> [String] {
    LineFramer(framing: .csv(separator: 0x2C, quote: 0x22), maxLine: maxLine)
        .texts(of: text, atEnd: atEnd)
}

private func groups(
    _ text: String,
    by kind: LineFramer.Multiline = .startsWith,
    maxLine: Int = 100,
    atEnd: Bool = false
) -> [String] {
    LineFramer(framing: .multiline(kind), maxLine: maxLine).texts(of: text, atEnd: atEnd)
}

extension LineFramer {
    /// What a restart makes of it from a checkpoint.
    fileprivate func resumed() -> LineFramer {
        LineFramer(
            framing: framing,
            maxLine: maxLine,
            longLines: longLines,
            state: state,
            line: line
        )
    }

    fileprivate mutating func events(
        of text: String,
        at offset: Int64 = 0,
        matches: (UnsafeRawBufferPointer) -> Bool = { _ in false }
    ) -> [FramedEvent] {
        events(of: Array(text.utf8), at: offset, matches: matches)
    }

    fileprivate mutating func events(
        of bytes: [UInt8],
        at offset: Int64 = 0,
        atEnd: Bool = false,
        matches: (UnsafeRawBufferPointer) -> Bool = { _ in false }
    ) -> [FramedEvent] {
        begin(chunkAt: offset)
        var result: [FramedEvent] = []
        bytes.withUnsafeBytes { buffer in
            while let event = next(in: buffer, atEnd: atEnd, matches: matches) {
                result.append(event)
            }
        }
        return result
    }

    fileprivate func texts(of text: String, atEnd: Bool) -> [String] {
        var framer = self
        let bytes = Array(text.utf8)
        return framer.events(of: bytes, atEnd: atEnd, matches: isStart).map {
            String(decoding: bytes[$0.range], as: UTF8.self)
        }
    }
}
