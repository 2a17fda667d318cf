import Kafka
import KafkaProtocol
import Testing

@testable import Shipping

/// A: basic reading.
extension ScenarioTests {
    @Test func `1: lines of a new file arrive in order, with path and offset`() throws {
        let it = try Scenario()
        try it.start()
        it.write("a.log", "one\n")
        it.pass()
        it.append("a.log", "two\nthree\nfour\nfive\n")
        it.pass()
        #expect(it.values == ["one", "two", "three", "four", "five"])
        #expect(it.records.map(\.file) == Array(repeating: "a.log", count: 5))
        #expect(it.records.map(\.offset) == [0, 4, 8, 14, 19])
    }

    @Test func `2: a file that is there is read from its beginning, and then on`() throws {
        let it = try Scenario("\"*.log\"", "start = beginning")
        it.write("a.log", numbered(1..<4))
        try it.start()
        it.append("a.log", numbered(4..<6))
        it.pass()
        #expect(it.values == numbers(1..<6))
    }

    @Test func `3: with start at the end only new lines arrive`() throws {
        let it = try Scenario("\"*.log\"", "start = end")
        it.write("a.log", numbered(1..<4))
        try it.start()
        #expect(it.values == [])
        it.append("a.log", numbered(4..<6))
        it.pass()
        #expect(it.values == ["4", "5"])
    }

    @Test func `4: with start at the end a new file is read from its head`() throws {
        let it = try Scenario("\"*.log\"", "start = end")
        it.write("old.log", "old\n")
        try it.start()
        it.write("new.log", numbered(1..<4))
        it.pass()
        #expect(it.values == numbers(1..<4))
    }

    @Test func `5: with new files from their end only later lines arrive`() throws {
        let it = try Scenario("\"*.log\"", "new_files = end")
        try it.start()
        it.write("a.log", numbered(1..<4))
        it.pass()
        #expect(it.values == [])
        it.append("a.log", "4\n")
        it.pass()
        #expect(it.values == ["4"])
    }

    @Test(arguments: [(true, 5), (false, 2)])
    func `6: empty lines are kept or skipped, and offsets pass them`(
        keeps: Bool,
        count: Int
    ) throws {
        let it = try Scenario("\"*.log\"", "keep_empty = \(keeps)")
        it.write("a.log", "\nx\n\n\ny\n")
        try it.start()
        #expect(it.values == (keeps ? ["", "x", "", "", "y"] : ["x", "y"]))
        #expect(it.values.count == count)
        #expect(it.records.last?.offset == 5)
        #expect(try it.offset(of: "a.log") == 7)
        it.append("a.log", "\n")
        it.pass()
        #expect(try it.offset(of: "a.log") == 8)
    }

    @Test func `7: an unterminated line waits, and is one record when its end comes`() throws {
        let it = try Scenario()
        it.write("a.log", "whole\nhalf")
        try it.start()
        it.pass(.seconds(3600))
        #expect(it.values == ["whole"])
        it.append("a.log", " and half\n")
        it.pass()
        #expect(it.values == ["whole", "half and half"])
    }

    @Test(arguments: ["", "multiline = starts_with('^x')\n  multiline_timeout = 100ms"])
    func `8: a line in three writes is one record, whatever time is between them`(
        settings: String
    ) throws {
        let it = try Scenario("\"*.log\"", settings)
        try it.start()
        for part in ["x on", "e li", "ne\n"] {
            it.append("a.log", part)
            it.pass(.seconds(1))
        }
        it.pass(.seconds(10))
        #expect(it.values == ["x one line"])
    }

    @Test func `9: the carriage return of a line's end is no part of it`() throws {
        let it = try Scenario()
        it.write("a.log", "one\r\ntwo\r\nwith\rin\r\n")
        try it.start()
        #expect(it.values == ["one", "two", "with\rin"])
    }

    @Test func `10: a line's end on both sides of a chunk's edge is one end`() throws {
        let it = try Scenario()
        it.limits.chunkLength = 8192
        let first = String(repeating: "x", count: 8191)
        it.write("a.log", first + "\r\nsecond\r\n")
        try it.start()
        #expect(it.values == [first, "second"])
    }
}

// MARK: - Limits

extension ScenarioTests {
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `11: random lines in random chunks are split as a plain split does`(
        seed: UInt64
    ) throws {
        var generator = SeededGenerator(seed: seed)
        let end = ["\n", "\r\n"].randomElement(using: &generator) ?? "\n"
        let most = Int.random(in: 1...80, using: &generator)
        let it = try Scenario("\"*.log\"", "max_line = \(most)\n  keep_empty = true")
        it.limits.chunkLength = Int.random(in: 3...300, using: &generator)
        let lines = (0..<200).map { number in
            let length = Int.random(in: 0...100, using: &generator)
            return String("\(number)-abcdefghij ".cycled(to: length))
        }
        it.write("a.log", lines.map { $0 + end }.joined())
        try it.start()
        #expect(it.values == lines.map { String($0.prefix(most)) })
    }

    @Test func `12: a line that is too long is cut or skipped, and the file goes on`() throws {
        let text = "one\n" + String(repeating: "x", count: 11) + "\ntwo\n"
        let cut = try Scenario("\"*.log\"", "max_line = 10\n  long_lines = cut")
        cut.write("a.log", text)
        try cut.start()
        #expect(cut.values == ["one", String(repeating: "x", count: 10), "two"])
        #expect(cut.ledger.linesCut == 1)
        let skip = try Scenario("\"*.log\"", "max_line = 10\n  long_lines = skip")
        skip.write("a.log", text)
        try skip.start()
        #expect(skip.values == ["one", "two"])
        #expect(try skip.offset(of: "a.log") == Int64(text.utf8.count))
    }

    @Test(arguments: 1...12)
    func `13: a line cut within a character is still UTF-8`(limit: Int) throws {
        let it = try Scenario("\"*.log\"", "max_line = \(limit)")
        it.write("a.log", "aé€😀aé€😀\nnext\n")
        try it.start()
        let value = try #require(it.kafka.records.first?.value)
        let text = try #require(String(validating: value, as: UTF8.self))
        #expect("aé€😀aé€😀".hasPrefix(text))
        #expect(value.count > limit - 4)
        #expect(it.values.count == 2)
    }

    @Test func `14: a line without an end is cut while it grows, and its rest is passed over`()
        throws
    {
        let it = try Scenario("\"*.log\"", "max_line = 64KiB")
        it.limits.chunkLength = 4096
        try it.start()
        let part = String(repeating: "x", count: 1 << 20)
        for _ in 0..<4 {
            it.append("a.log", part)
            it.pass()
        }
        it.append("a.log", "\nshort\n")
        it.pass()
        #expect(it.values.map(\.utf8.count) == [64 * 1024, 5])
        #expect(try it.offset(of: "a.log") == 4 << 20 + 7)
    }

    @Test func `15: a byte-order mark is no part of the first record, but of the offset`() throws {
        let it = try Scenario()
        it.write("a.log", bytes: [0xEF, 0xBB, 0xBF] + Array("a\nb\n".utf8))
        try it.start()
        #expect(it.values == ["a", "b"])
        #expect(it.records.map(\.offset) == [3, 5])
    }

    @Test func `18: NULs that a stale writer leaves at the head are no record`() throws {
        let it = try Scenario()
        it.write("a.log", numbered(1..<3))
        try it.start()
        it.truncate("a.log")
        it.append("a.log", bytes: [0, 0, 0, 0] + Array(numbered(3..<5).utf8))
        it.pass()
        #expect(it.values == numbers(1..<5))
        #expect(it.records.last?.offset == 6)
    }

    @Test(arguments: [31, 32])
    func `19: offsets beyond two and four gigabytes are right`(power: Int) throws {
        let it = try Scenario("\"*.log\"", "start = end")
        let start = 1 << power + 10
        it.write("a.log", "")
        it.truncate("a.log", to: start - 1)
        it.append("a.log", "\n")
        try it.start()
        it.append("a.log", numbered(1..<3))
        it.pass()
        try it.restart()
        it.append("a.log", numbered(3..<4))
        it.pass()
        #expect(it.values == numbers(1..<4))
        #expect(it.records.map(\.offset) == [0, 2, 4].map { Int64(start) + $0 })
        #expect(try it.offset(of: "a.log") == Int64(start) + 6)
    }
}

extension String {
    fileprivate func cycled(to length: Int) -> String {
        String(String(repeating: self, count: length / count + 1).prefix(length))
    }
}
