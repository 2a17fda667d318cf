import CPlatform
import Testing

@testable import RecordProcessing

struct TextSearchTests {
    private func place(of part: [UInt8], in text: [UInt8], from start: Int = 0) -> Int? {
        part.withUnsafeBytes { part in
            text.withUnsafeBytes { firstIndex(of: part, in: $0, from: start) }
        }
    }

    /// The same, place by place.
    private func slowPlace(of part: [UInt8], in text: [UInt8], from start: Int) -> Int? {
        guard start + part.count <= text.count else { return nil }
        return (start...(text.count - part.count)).first { text[$0...].starts(with: part) }
    }

    @Test func `a byte is found wherever it stands, and nothing behind the end`() {
        for length in 0...70 {
            for start in 0...length {
                for wanted in start...length {
                    var text = [UInt8](repeating: 0x81, count: length) + [0x80, 0x80]
                    text[wanted] = 0x80
                    if start > 0 { text[start - 1] = 0x80 }
                    let found = text.withUnsafeBytes {
                        RecordProcessing.place(
                            of: 0x80,
                            in: Text(rebasing: $0[..<length]),
                            from: start
                        )
                    }
                    #expect(found == wanted, "from \(start) in \(length)")
                }
            }
        }
    }

    @Test(arguments: [0x22, 0x5C, 0x00, 0x1F] as [UInt8])
    func `a string ends or escapes at any place, and at no other byte`(special: UInt8) {
        let plain = (0x20...0xFF).filter { $0 != 0x22 && $0 != 0x5C }.map { UInt8($0) }
        for length in 0...70 {
            for place in 0...length {
                let before = (0..<place).map { plain[($0 * 7 + length) % plain.count] }
                let text = before + [special] + Array("\"\\ab".utf8)
                let found = text.withUnsafeBytes {
                    Int(forktail_plain_length($0.baseAddress, min(length, place + 1)))
                }
                #expect(found == place || found == length && place == length)
                var copy = [UInt8](repeating: 1, count: length)
                let copied = text.withUnsafeBytes { text in
                    copy.withUnsafeMutableBytes {
                        Int(
                            forktail_copy_plain(
                                $0.baseAddress,
                                text.baseAddress,
                                min(length, place + 1)
                            )
                        )
                    }
                }
                #expect(copied == found && Array(copy[..<copied]) == Array(text[..<copied]))
            }
        }
    }

    @Test func `a part is found wherever it stands, in texts of all lengths`() {
        for length in 1...70 {
            for count in 1...min(length, 40) {
                let part = (0..<count).map { UInt8($0 + 1) }
                for start in 0...(length - count) {
                    var text = [UInt8](repeating: 0, count: length)
                    text.replaceSubrange(start..<(start + count), with: part)
                    #expect(place(of: part, in: text) == start, "\(count) in \(length)")
                }
            }
        }
    }

    @Test func `a part that runs over the end of a text is not found`() {
        for length in 1...70 {
            for count in 2...40 {
                let part = (0..<count).map { UInt8($0 + 1) }
                let text = [UInt8](repeating: 0, count: length) + part.dropLast()
                #expect(place(of: part, in: text + [0]) == nil, "\(count) in \(length)")
                // What lies behind the text is not looked at.
                #expect(place(of: part, in: text) == nil, "\(count) in \(length)")
            }
        }
    }

    @Test func `texts of few letters are searched like place by place`() {
        var state: UInt64 = 7
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        var found = 0
        for round in 0..<20_000 {
            let text = (0..<next(100)).map { _ in UInt8(next(2)) }
            let part = (0..<(1 + next(10))).map { _ in UInt8(next(2)) }
            let start = next(text.count + 1)
            let expected = slowPlace(of: part, in: text, from: start)
            #expect(place(of: part, in: text, from: start) == expected, "seed 7, round \(round)")
            found += expected == nil ? 0 : 1
        }
        #expect(found > 5_000 && found < 19_000, "\(found) of 20,000 were found")
    }

    @Test func `an empty part stands at every place`() {
        #expect(place(of: [], in: [], from: 0) == 0)
        #expect(place(of: [], in: [1, 2], from: 2) == 2)
        #expect(place(of: [1], in: [], from: 0) == nil)
    }
}
