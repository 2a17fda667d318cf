/// One cell of a row, as it stands in the line.
struct CSVCell {
    /// Without the quotes around it.
    var text: Text
    /// Whether a doubled quote in it stands for one.
    var needsUnquoting = false
    var quote = UInt8(ascii: "\"")

    /// Writes the cell with single quotes; returns how many bytes that took.
    func unquote(into target: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        var place = 0
        while place < text.count {
            target[count] = text[place]
            count += 1
            place += text[place] == quote ? 2 : 1
        }
        return count
    }
}

/// Splits a row as RFC 4180 says.
enum CSVRow {
    /// Appends the row's cells; what is wrong with it comes back in words.
    static func split(
        _ row: Text,
        separator: UInt8,
        quote: UInt8?,
        into cells: inout [CSVCell]
    ) -> String? {
        var place = 0
        while true {
            if let quote, place < row.count, row[place] == quote {
                guard let (cell, end) = quotedCell(row, place + 1, quote) else {
                    return "a quote is never closed"
                }
                cells.append(cell)
                place = end
                guard place == row.count || row[place] == separator else {
                    return "there is text behind a closing quote"
                }
            } else {
                let end = RecordProcessing.place(of: separator, in: row, from: place)
                cells.append(CSVCell(text: Text(rebasing: row[place..<end])))
                place = end
            }
            if place == row.count { return nil }
            place += 1
        }
    }

    private static func quotedCell(_ row: Text, _ start: Int, _ quote: UInt8) -> (CSVCell, Int)? {
        var hasQuotes = false
        var place = start
        while true {
            let found = RecordProcessing.place(of: quote, in: row, from: place)
            if found == row.count { return nil }
            guard found + 1 < row.count, row[found + 1] == quote else {
                let text = Text(rebasing: row[start..<found])
                return (CSVCell(text: text, needsUnquoting: hasQuotes, quote: quote), found + 1)
            }
            hasQuotes = true
            place = found + 2
        }
    }
}
