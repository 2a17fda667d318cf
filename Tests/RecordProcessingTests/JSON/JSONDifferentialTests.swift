import Glibc
import Testing

@testable import RecordProcessing

/// Random texts, whole and damaged: the scanner says what the reference says.
///
/// FORKTAIL_INPUTS says how many are tried, FORKTAIL_SEED which.
struct JSONDifferentialTests {
    @Test func `the scanner agrees with the grammar on random texts`() {
        let seed = variable("FORKTAIL_SEED") ?? Int.random(in: 1...1_000_000_000)
        let wanted = variable("FORKTAIL_INPUTS") ?? 20_000
        var maker = RandomJSON(seed: UInt64(seed))
        var taken = 0
        for _ in 0..<wanted {
            let text = maker.next()
            let expected = JSONReference.object(text)
            taken += expected == nil ? 0 : 1
            let found = Self.scanned(text)
            guard found != expected else { continue }
            Issue.record(
                """
                FORKTAIL_SEED=\(seed) FORKTAIL_INPUTS=\(wanted) swift test --filter JSONDifferential
                \(String(decoding: text, as: UTF8.self).debugDescription)
                scanner: \(String(describing: found)), reference: \(String(describing: expected))
                """
            )
            return
        }
        print("\(wanted) texts of seed \(seed): \(taken) are objects, the others are not")
        #expect(taken > wanted / 4 && taken < wanted * 9 / 10)
    }

    @Test(arguments: [
        "", "set a = 1", "remove a", "set new = \"x\"", "rename a to b", "keep a, b",
        "set a.b = 1", "if a == null {\n  set c = a\n}",
    ])
    func `what is copied from the input is what is written field by field`(step: String) throws {
        let seed = variable("FORKTAIL_SEED") ?? Int.random(in: 1...1_000_000_000)
        var maker = RandomJSON(seed: UInt64(seed))
        let copied = try Self.bench(step, "json(*)")
        let written = try Self.bench("\(step)\nlet all = *", "json(all)")
        var taken = 0
        for _ in 0..<(variable("FORKTAIL_INPUTS") ?? 2_000) {
            let line = maker.next()
            let outcome = copied.run(line)
            taken += outcome.hasPrefix("{") ? 1 : 0
            #expect(
                outcome == written.run(line),
                "FORKTAIL_SEED=\(seed) \(String(decoding: line, as: UTF8.self).debugDescription)"
            )
        }
        #expect(taken > 0)
    }

    private static func bench(_ step: String, _ value: String) throws -> Bench {
        try Bench(
            """
            from "*.log"
            parse json
            \(step)
            send {
              topic = "t"
              value = \(value)
            }
            on error skip
            """
        )
    }

    @Test func `what is written as a string is read as the same bytes`() {
        var numbers = RandomNumbers(seed: 8)
        for _ in 0..<2_000 {
            let bytes = (0..<numbers.below(40)).map { _ in UInt8(numbers.below(256)) }
            let writer = JSONWriter()
            bytes.withUnsafeBytes { writer.write(quoted: $0) }
            #expect(JSONReference.isValue(Array(writer.text)))
            #expect(JSONReference.content(Array(writer.text.dropFirst().dropLast())) == bytes)
        }
    }

    private static func scanned(_ text: [UInt8]) -> [JSONReference.Member]? {
        text.withUnsafeBytes { text in
            var members: [JSONMember] = []
            guard JSONScanner.scanObject(text, members: &members) == nil else { return nil }
            return members.map { member in
                var name: [UInt8] = []
                if member.nameHasEscapes {
                    JSONScanner.unescape(member.name, into: &name)
                } else {
                    name = Array(member.name)
                }
                return JSONReference.Member(name: name, value: Array(member.value))
            }
        }
    }

    private func variable(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }
}

private struct RandomNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }

    mutating func below(_ limit: Int) -> Int { Int(next() >> 33) % limit }

    mutating func one<Element>(of elements: [Element]) -> Element {
        elements[below(elements.count)]
    }
}

/// Makes objects, and damages every other one.
private struct RandomJSON {
    private var numbers: RandomNumbers
    private var text: [UInt8] = []

    init(seed: UInt64) { numbers = RandomNumbers(seed: seed) }

    private static let scalars = [
        "null", "true", "false", "0", "-0", "1", "-1.50", "1e5", "0.1E-2",
        "12345678901234567890123",
        "\"\"", "\"a\"", "[]", "{}", "[ ]", "{ }",
    ]
    private static let pieces = [
        "a", " ", "long text without anything in it, ", "é", "😀", "\\\"", "\\\\", "\\/", "\\n",
        "\\t",
        "\\b", "\\f", "\\r", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\uDE00", "{", "}",
        "[", "]", ":", ",", "'", "\u{7F}", "0123456789abcdef0123456789abcdef",
    ]
    private static let damages = [
        "\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "\0", "\u{1F}", "0", "1", "-", "+",
        ".",
        "e", "E", "u", "t", "n", "x", "/", "\t", "\u{FEFF}", "é",
    ]

    mutating func next() -> [UInt8] {
        text.removeAll(keepingCapacity: true)
        space()
        writeObject(depth: 0)
        space()
        if numbers.below(2) == 0 { damage() }
        return text
    }

    private mutating func write(_ string: String) { text += Array(string.utf8) }

    private mutating func space() {
        if numbers.below(6) == 0 { write(numbers.one(of: [" ", "\t", "\n", "\r", "  ", " \n\t"])) }
    }

    private mutating func writeObject(depth: Int) {
        write("{")
        space()
        for index in 0..<numbers.below(depth == 0 ? 8 : 4) {
            if index > 0 { write(",") }
            space()
            writeString()
            space()
            write(":")
            space()
            writeValue(depth: depth + 1)
            space()
        }
        write("}")
    }

    private mutating func writeValue(depth: Int) {
        switch numbers.below(depth > 5 ? 6 : 10) {
        case 0...2: writeString()
        case 3, 4: write(numbers.one(of: Self.scalars))
        case 5: writeNumber()
        case 6, 7: writeObject(depth: depth)
        default: writeArray(depth: depth)
        }
    }

    private mutating func writeArray(depth: Int) {
        // Now and then just around the limit of nesting.
        let brackets = numbers.below(2_000) == 0 ? 505 + numbers.below(12) : 1
        write(String(repeating: "[", count: brackets))
        for index in 0..<numbers.below(4) {
            if index > 0 { write(",") }
            space()
            writeValue(depth: depth + 1)
            space()
        }
        write(String(repeating: "]", count: brackets))
    }

    private mutating func writeNumber() {
        if numbers.below(3) == 0 { write("-") }
        write(numbers.below(4) == 0 ? "0" : "\(1 + numbers.below(100_000))")
        if numbers.below(2) == 0 { write(".\(numbers.below(10_000))") }
        if numbers.below(3) == 0 {
            write(numbers.one(of: ["e", "E", "e+", "e-", "E+", "E-"]) + "\(numbers.below(400))")
        }
    }

    private mutating func writeString() {
        write("\"")
        for _ in 0..<numbers.below(6) {
            // A byte that is no text now and then: a line may be anything.
            if numbers.below(20) == 0 {
                text.append(UInt8(0x80 + numbers.below(128)))
            } else {
                write(numbers.one(of: Self.pieces))
            }
        }
        write("\"")
    }

    private mutating func damage() {
        for _ in 0...numbers.below(2) {
            let place = numbers.below(text.count + 1)
            switch numbers.below(5) {
            case 0 where !text.isEmpty: text.remove(at: min(place, text.count - 1))
            case 1 where !text.isEmpty: text[min(place, text.count - 1)] = UInt8(numbers.below(256))
            case 2: text.removeSubrange(place...)
            case 3:
                let end = min(text.count, place + numbers.below(8))
                text.insert(contentsOf: Array(text[place..<end]), at: place)
            default: text.insert(contentsOf: Array(numbers.one(of: Self.damages).utf8), at: place)
            }
        }
    }
}
