/// One pair of a logfmt line.
struct LogfmtPair {
    var key: Text
    /// As it stands in the line, without quotes; nil for a key that stands alone.
    var value: Text?
    /// Whether a backslash in the value stands before what it means.
    var hasEscapes = false
}

/// Splits `level=info msg="two words" debug` into its pairs.
enum LogfmtLine {
    /// Appends the pairs; what is wrong with the line comes back in words.
    static func split(_ line: Text, into pairs: inout [LogfmtPair]) -> String? {
        var place = 0
        var hasValue = false
        while true {
            while place < line.count, line[place] <= 0x20 { place += 1 }
            guard place < line.count else { break }
            let keyStart = place
            while place < line.count, line[place] > 0x20, line[place] != UInt8(ascii: "=") {
                if line[place] == UInt8(ascii: "\"") { return "a key has a quote at byte \(place)" }
                place += 1
            }
            guard place > keyStart else { return "a key is missing at byte \(place)" }
            var pair = LogfmtPair(key: Text(rebasing: line[keyStart..<place]))
            if place < line.count, line[place] == UInt8(ascii: "=") {
                hasValue = true
                place += 1
                if let problem = readValue(line, &place, into: &pair) { return problem }
            }
            pairs.append(pair)
        }
        return hasValue ? nil : "there is no key=value"
    }

    private static func readValue(
        _ line: Text,
        _ place: inout Int,
        into pair: inout LogfmtPair
    ) -> String? {
        let start = place
        guard place < line.count, line[place] == UInt8(ascii: "\"") else {
            while place < line.count, line[place] > 0x20 { place += 1 }
            pair.value = Text(rebasing: line[start..<place])
            return nil
        }
        place += 1
        while place < line.count, line[place] != UInt8(ascii: "\"") {
            if line[place] == UInt8(ascii: "\\") {
                pair.hasEscapes = true
                place += 1
            }
            place += 1
        }
        guard place < line.count else { return "a quote is never closed" }
        pair.value = Text(rebasing: line[(start + 1)..<place])
        place += 1
        guard place == line.count || line[place] <= 0x20 else {
            return "there is text behind a closing quote at byte \(place)"
        }
        return nil
    }
}
