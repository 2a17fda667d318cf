import KafkaProtocol
import Testing

@testable import Shipping

/// A, continued: text that is not UTF-8, and lines that are passed over.
extension ScenarioTests {
    @Test func `12: a line that is passed over is counted`() throws {
        let it = try Scenario("\"*.log\"", "max_line = 10\n  long_lines = skip")
        it.write("a.log", "one\n" + String(repeating: "x", count: 11) + "\ntwo\n")
        try it.start()
        #expect(it.values == ["one", "two"])
        #expect(it.ledger.linesSkipped == 1)
    }

    @Test(arguments: [false, true], [false, true])
    func `16: UTF-16 is read in either order, with a mark and without`(
        isBigEndian: Bool,
        hasMark: Bool
    ) throws {
        let name = hasMark ? "UTF-16" : isBigEndian ? "UTF-16BE" : "UTF-16LE"
        let it = try Scenario("\"*.log\"", "encoding = \"\(name)\"", value: "message")
        let lines = ["grüße", "日本語", "😀 ends", "plain"]
        let text = lines.map { $0 + "\n" }.joined()
        let bytes = utf16((hasMark ? "\u{FEFF}" : "") + text, isBigEndian)
        it.write("a.log", bytes: Array(bytes.dropLast(5)))
        try it.start()
        #expect(it.values == Array(lines.dropLast()))
        it.append("a.log", bytes: Array(bytes.suffix(5)))
        it.pass()
        try it.restart()
        it.append("a.log", bytes: utf16("after\r\n", isBigEndian))
        it.pass()
        #expect(it.values == lines + ["after"])
        let mark = hasMark ? 2 : 0
        #expect(it.records.map(\.offset) == [0, 12, 20, 36, 48].map { Int64(mark + $0) })
    }

    private func utf16(_ text: String, _ isBigEndian: Bool) -> [UInt8] {
        text.utf16.flatMap { unit in
            let bytes = [UInt8(unit & 0xFF), UInt8(unit >> 8)]
            return isBigEndian ? bytes.reversed() : bytes
        }
    }

    private static let encoded: [(String, [UInt8], String)] = [
        ("SHIFT_JIS", [0x93, 0xFA, 0x96, 0x7B], "日本"),
        // The second byte of the first character is a backslash in ASCII.
        ("SHIFT_JIS", [0x83, 0x5C, 0x8B, 0x40], "ソ機"),
        ("GBK", [0xD6, 0xD0, 0xB9, 0xFA], "中国"),
        ("ISO-8859-1", [0x67, 0x72, 0xFC, 0xDF, 0x65], "grüße"),
    ]

    @Test(arguments: encoded)
    func `17: a file of a declared encoding is sent as UTF-8`(
        encoding: String,
        bytes: [UInt8],
        text: String
    ) throws {
        let it = try Scenario("\"*.log\"", "encoding = \"\(encoding)\"", value: "message")
        it.write("a.log", bytes: bytes + [10] + bytes.dropLast())
        try it.start()
        #expect(it.values == [text])
        it.append("a.log", bytes: bytes.suffix(1) + [10])
        it.pass()
        #expect(it.values == [text, text])
        #expect(it.records.last?.offset == Int64(bytes.count) + 1)
    }

    @Test(arguments: [("keep", [0x61, 0xFF, 0x62]), ("replace", Array("a\u{FFFD}b".utf8))])
    func `17: bytes that are not UTF-8 are kept, or replaced`(
        setting: String,
        value: [UInt8]
    ) throws {
        let it = try Scenario("\"*.log\"", "invalid_utf8 = \(setting)", value: "message")
        it.write("a.log", bytes: [0x61, 0xFF, 0x62, 10])
        try it.start()
        #expect(it.kafka.records.map(\.value) == [value])
    }
}
