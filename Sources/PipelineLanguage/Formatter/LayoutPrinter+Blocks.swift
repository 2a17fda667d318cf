/// Blocks: a line for each entry, with the comments and empty lines around it.
extension LayoutPrinter {
    /// Writes a line for each entry, each after a line end; the file begins without one.
    mutating func writeEntries(of group: LayoutGroup, indent: Int) {
        let paddings = LayoutAlignment(context: context, group: group, indent: indent).paddings
        var comments = CommentColumn()
        var isFirst = group.openingComment == nil
        for (index, entry) in group.entries.enumerated() {
            let isApart =
                group.open == nil && index > 0
                && (context.standsApart(entry) || context.standsApart(group.entries[index - 1]))
            writeLeading(entry, indent: indent, isFirst: isFirst, isApart: isApart)
            isFirst = false
            let start = output.count
            let comma = comma(behind: index, in: group)
            write(entry, padding: paddings[index], reserve: comma.count)
            write(comma)
            let isOneLine = !output[start...].contains(0x0A)
            guard let comment = entry.trailing else {
                comments.flush(into: &output)
                continue
            }
            let hasLinesBetween = isApart || entry.hasBlankBefore || !entry.leading.isEmpty
            if !isOneLine || hasLinesBetween { comments.flush(into: &output) }
            comments.add(Array(self.comment(comment)), at: output.count, column: column)
            if !isOneLine { comments.flush(into: &output) }
        }
        comments.flush(into: &output)
        writeClosing(group, indent: indent, isFirst: isFirst && group.entries.isEmpty)
    }

    private func comma(behind index: Int, in group: LayoutGroup) -> [UInt8] {
        guard index + 1 < group.entries.count else { return [] }
        let isNeeded =
            !group.isBraced(in: context) || context.needsComma(before: group.entries[index + 1])
        return isNeeded ? [UInt8(ascii: ",")] : []
    }

    /// Writes the comments above an entry, the empty lines around them, and its indentation.
    private mutating func writeLeading(
        _ entry: LayoutEntry,
        indent: Int,
        isFirst: Bool,
        isApart: Bool
    ) {
        let blanks = entry.leading.map(\.hasBlankBefore) + [entry.hasBlankBefore]
        let lacksBlank = isApart && !blanks.contains(true)
        for (index, hasBlank) in blanks.enumerated() {
            let isStart = isFirst && index == 0
            let isBlank = (hasBlank && !isStart) || (lacksBlank && index == 0)
            lineBreak(isBlank: isBlank, indent: indent)
            if index < entry.leading.count { write(comment(entry.leading[index])) }
        }
    }

    private mutating func writeClosing(_ group: LayoutGroup, indent: Int, isFirst: Bool) {
        for (index, comment) in group.closingComments.enumerated() {
            let isStart = isFirst && index == 0
            lineBreak(isBlank: comment.hasBlankBefore && !isStart, indent: indent)
            write(self.comment(comment))
        }
    }

    private mutating func lineBreak(isBlank: Bool, indent: Int) {
        // Nothing stands above the first line of a file.
        guard !output.isEmpty else { return }
        if isBlank { output += lineEnd }
        beginLine(indent: indent)
    }

    /// The whole text.
    mutating func text(of file: LayoutGroup) -> [UInt8] {
        writeEntries(of: file, indent: 0)
        if !output.isEmpty { output += lineEnd }
        return output
    }
}
