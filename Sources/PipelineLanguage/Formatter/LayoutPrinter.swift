/// Writes tokens and comments in the one layout that a pipeline has.
///
/// A line that fits stays one, unless it stood on several lines in the text: breaking is the
/// author's choice, and joining a block again is one deletion away.
struct LayoutPrinter {
    let context: LayoutContext
    var output: [UInt8] = []
    /// Characters on the current line.
    var column = 0
    /// How deep the current line begins.
    private(set) var indent = 0
    private var isAtLineStart = true
    let lineEnd: [UInt8]

    init(context: LayoutContext) {
        self.context = context
        let bytes = context.source.bytes
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? 0
        let isCRLF = end > 0 && bytes[end - 1] == UInt8(ascii: "\r")
        lineEnd = isCRLF ? [0x0D, 0x0A] : [0x0A]
    }

    // MARK: Characters

    mutating func write(_ bytes: some Collection<UInt8>) {
        output += bytes
        column += width(bytes)
        isAtLineStart = false
    }

    mutating func write(_ text: String) {
        write(text.utf8)
    }

    mutating func writeSpaces(_ count: Int) {
        write(repeatElement(UInt8(ascii: " "), count: count))
    }

    mutating func beginLine(indent: Int) {
        output += lineEnd
        column = 0
        self.indent = indent
        writeSpaces(indent)
        isAtLineStart = true
    }

    func width(_ bytes: some Collection<UInt8>) -> Int {
        String(decoding: bytes, as: UTF8.self).count
    }

    private func fits(_ bytes: [UInt8], reserve: Int) -> Bool {
        column + width(bytes) + reserve <= LayoutContext.width
    }

    func comment(_ comment: LayoutComment) -> ArraySlice<UInt8> {
        let bytes = context.source.bytes[comment.span]
        let end = bytes.lastIndex { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }
        return end.map { bytes[...$0] } ?? bytes
    }

    // MARK: On one line

    /// Parts that stand on one line, without a space before the first.
    func flat(_ parts: ArraySlice<LayoutPart>) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in parts {
            if !bytes.isEmpty, !context.isTight(before: part.firstToken) { bytes.append(0x20) }
            switch part.kind {
            case .token(let index): bytes += context.source.bytes[context.tokens[index].span]
            case .group(let group): bytes += flat(group)
            }
        }
        return bytes
    }

    private func flat(_ group: LayoutGroup) -> [UInt8] {
        guard let open = group.open, let close = group.close else { return [] }
        let isBraced = group.isBraced(in: context)
        let space: [UInt8] = isBraced ? [0x20] : []
        var bytes = [UInt8](context.source.bytes[context.tokens[open].span]) + space
        for (index, entry) in group.entries.enumerated() {
            if index > 0 { bytes += separator(before: entry, in: group, isBraced) }
            bytes += flat(entry.parts[...])
        }
        if !group.entries.isEmpty { bytes += space }
        return bytes + context.source.bytes[context.tokens[close].span]
    }

    private func separator(
        before entry: LayoutEntry,
        in group: LayoutGroup,
        _ isBraced: Bool
    ) -> [UInt8] {
        let isList = group.open.map { context.marks.lists.contains($0) } ?? false
        let hasComma = !isBraced || isList || context.needsComma(before: entry)
        return hasComma ? [UInt8(ascii: ","), 0x20] : [0x20, 0x20]
    }

    // MARK: Entries

    /// Writes a statement behind the indentation of its line.
    ///
    /// - Parameters:
    ///   - padding: spaces that bring its `=`, `:` or `=>` under those around it.
    ///   - reserve: characters that must fit behind it.
    mutating func write(_ entry: LayoutEntry, padding: Int, reserve: Int) {
        guard let head = context.head(of: entry) else {
            return write(entry.parts[...], reserve: reserve)
        }
        // Braces that are opened have nothing to stand under.
        if head.sign == nil, !fits(flat(entry.parts[...]), reserve: reserve + padding) {
            return write(entry.parts[...], reserve: reserve)
        }
        let sign = head.sign.map { context.source.bytes[context.tokens[$0].span] } ?? []
        write(flat(entry.parts[..<head.end]))
        if context.isTightHead(head) {
            write(sign)
            writeSpaces(padding)
        } else {
            writeSpaces(padding + (sign.isEmpty ? 0 : 1))
            write(sign)
        }
        write(entry.parts[head.body...], reserve: reserve)
    }

    /// Writes the parts of a statement, on one line if they fit.
    private mutating func write(_ parts: ArraySlice<LayoutPart>, reserve: Int) {
        let base = indent
        let segments = context.segments(of: parts)
        if segments.count == 1 || canStandOnOneLine(parts, reserve: reserve) {
            return writeRun(parts, indent: base + LayoutContext.continuation, reserve: reserve)
        }
        for (index, segment) in segments.enumerated() {
            let next = index + 1 < segments.count ? segments[index + 1].parts.first : nil
            let reserve = next.map { $0.group == nil ? 3 : 2 } ?? reserve
            if segment.isBorder, let part = segment.parts.first {
                writeBorder(part, indent: base)
            } else {
                writeRun(segment.parts, indent: base + LayoutContext.continuation, reserve: reserve)
            }
        }
    }

    /// Writes `=>`, or steps between braces: those begin no deeper than their statement.
    private mutating func writeBorder(_ part: LayoutPart, indent base: Int) {
        lead(into: part, indent: base + LayoutContext.continuation)
        switch part.kind {
        case .token(let index): write(context.source.bytes[context.tokens[index].span])
        case .group(let group): writeSpread(group, indent: base)
        }
    }

    private func canStandOnOneLine(_ parts: ArraySlice<LayoutPart>, reserve: Int) -> Bool {
        guard !context.mustBreak(parts), parts.first?.comments.isEmpty ?? true else { return false }
        let space = needsSpace(before: parts) ? 1 : 0
        return fits(flat(parts), reserve: reserve + space)
    }

    private func needsSpace(before parts: ArraySlice<LayoutPart>) -> Bool {
        guard let part = parts.first, !isAtLineStart else { return false }
        return !context.isTight(before: part.firstToken)
    }

    // MARK: Runs

    /// Writes parts that no block and no arrow divides.
    ///
    /// - Parameter indent: of the lines that the run goes on with, if it does not fit.
    private mutating func writeRun(
        _ parts: ArraySlice<LayoutPart>,
        indent: Int,
        reserve: Int
    ) {
        if canStandOnOneLine(parts, reserve: reserve) {
            if needsSpace(before: parts) { writeSpaces(1) }
            return write(flat(parts))
        }
        let hasComments = parts.dropFirst().contains { !$0.comments.isEmpty }
        let operators = context.loosestOperators(in: parts)
        let isChain =
            context.isBrokenChain(parts)
            || (!operators.isEmpty && !parts.contains(where: context.holdsLines))
        if isChain, !hasComments {
            writeChain(parts, at: operators, indent: indent, reserve: reserve)
        } else {
            writeSequence(parts, indent: indent, reserve: reserve)
        }
    }

    /// Writes a line for each operand.
    private mutating func writeChain(
        _ parts: ArraySlice<LayoutPart>,
        at operators: [Int],
        indent: Int,
        reserve: Int
    ) {
        let deeper = indent + LayoutContext.indentation
        var start = parts.startIndex
        for index in operators {
            let end = index + context.tokenCount(of: parts[index])
            let sign = parts[index..<end]
            if context.leadsLine(parts[index]) {
                writeRun(parts[start..<index], indent: deeper, reserve: 0)
                beginLine(indent: indent)
                write(flat(sign))
            } else {
                let space = context.isTight(before: parts[index].firstToken) ? 0 : 1
                let length = width(flat(sign)) + space
                writeRun(parts[start..<index], indent: deeper, reserve: length)
                writeSpaces(space)
                write(flat(sign))
                beginLine(indent: indent)
            }
            start = end
        }
        writeRun(parts[start...], indent: deeper, reserve: reserve)
    }

    /// Writes one part after the other, and opens the groups that do not fit.
    private mutating func writeSequence(
        _ parts: ArraySlice<LayoutPart>,
        indent: Int,
        reserve: Int
    ) {
        for index in parts.indices {
            let part = parts[index]
            lead(into: part, indent: indent)
            switch part.kind {
            case .token(let token): writeToken(token)
            case .group(let group):
                let rest = restOfLine(parts[(index + 1)...], reserve: reserve)
                if !group.mustBreak, fits(flat(group), reserve: rest) {
                    write(flat(group))
                } else {
                    writeOpen(group, reserve: rest)
                }
            }
        }
    }

    /// The characters until a group may be opened next.
    private func restOfLine(_ parts: ArraySlice<LayoutPart>, reserve: Int) -> Int {
        let tokens = parts.prefix {
            $0.group == nil && $0.comments.isEmpty && !context.holdsLines($0)
        }
        let length = width(flat(tokens)) + (tokens.isEmpty ? 0 : 1)
        guard let next = parts.dropFirst(tokens.count).first else { return length + reserve }
        return length + (next.group == nil ? 0 : 2)
    }

    /// Writes what stands between two parts: comments on their lines, or a space.
    private mutating func lead(into part: LayoutPart, indent: Int) {
        guard !part.comments.isEmpty else {
            if needsSpace(before: [part]) { writeSpaces(1) }
            return
        }
        for comment in part.comments {
            if comment.isOwnLine {
                beginLine(indent: indent)
            } else {
                writeSpaces(2)
            }
            write(self.comment(comment))
        }
        beginLine(indent: indent)
    }

    // MARK: Groups

    /// Writes a group that does not stand on one line.
    private mutating func writeOpen(_ group: LayoutGroup, reserve: Int) {
        guard canHug(group), let open = group.open, let close = group.close else {
            return writeSpread(group, indent: indent)
        }
        let base = indent
        write(context.source.bytes[context.tokens[open].span])
        var isAtFirst = true
        for entry in group.entries.dropLast() {
            if !isAtFirst { writeSpaces(1) }
            write(flat(entry.parts[...]))
            write(",")
            isAtFirst = false
        }
        if let last = group.entries.last {
            let indent = base + LayoutContext.continuation
            writeRun(last.parts[...], indent: indent, reserve: reserve + 1)
        }
        write(context.source.bytes[context.tokens[close].span])
    }

    /// True when only the last entry needs lines of its own: `json({` … `})`.
    private func canHug(_ group: LayoutGroup) -> Bool {
        guard !group.isBraced(in: context), !group.isSpread, !group.hasComments else {
            return false
        }
        guard let last = group.entries.last, group.entries.count > 1 else {
            return !group.entries.isEmpty
        }
        let others = group.entries.dropLast()
        guard let inner = last.parts.last?.group, inner.isBraced(in: context) else { return false }
        guard !others.contains(where: \.mustBreak), !context.mustBreak(last.parts.dropLast()),
            context.loosestOperators(in: last.parts[...]).isEmpty
        else { return false }
        let width = others.reduce(1) { $0 + self.width(flat($1.parts[...])) + 2 }
        return column + width + self.width(flat(last.parts.dropLast())) + 2 <= LayoutContext.width
    }

    /// Writes a group with a line for each of its entries.
    private mutating func writeSpread(_ group: LayoutGroup, indent: Int) {
        guard let open = group.open, let close = group.close else { return }
        write(context.source.bytes[context.tokens[open].span])
        if let comment = group.openingComment {
            writeSpaces(2)
            write(self.comment(comment))
        }
        if group.entries.isEmpty, !group.hasComments {
            if group.isBraced(in: context) { writeSpaces(1) }
        } else {
            writeEntries(of: group, indent: indent + LayoutContext.indentation)
            beginLine(indent: indent)
        }
        write(context.source.bytes[context.tokens[close].span])
    }

    // MARK: Texts

    private mutating func writeToken(_ index: Int) {
        let token = context.tokens[index]
        let bytes = context.source.bytes[token.span]
        guard let last = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return write(bytes) }
        guard token.isBlockText(in: context.source) else {
            output += bytes[...last]
            column = 0
            return write(bytes[(last + 1)...])
        }
        writeLines(of: bytes)
    }

    /// Writes a text of several lines one step deeper than its line; its value stays the same.
    private mutating func writeLines(of bytes: ArraySlice<UInt8>) {
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        guard let first = lines.first, let last = lines.last else { return }
        let depth = repeatElement(UInt8(ascii: " "), count: indent + LayoutContext.indentation)
        write(first.prefix(3))
        output += lineEnd
        for line in lines.dropFirst().dropLast() {
            var content = line
            for byte in last.dropLast(3) {
                guard content.first == byte else { break }
                content.removeFirst()
            }
            if !content.isEmpty, content != [0x0D] { output += depth }
            output += content
            output.append(0x0A)
        }
        column = 0
        write(depth)
        write(last.suffix(3))
    }
}
