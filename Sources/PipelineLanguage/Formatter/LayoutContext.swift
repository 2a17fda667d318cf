/// The tokens of a text with all that is known about their places.
struct LayoutContext {
    static let width = 100
    static let indentation = 2
    /// How much deeper a statement goes on that does not fit on its line.
    static let continuation = 4

    let source: SourceText
    let tokens: [Token]
    let marks: LayoutMarks
    let gaps: [LayoutGap]

    init(source: SourceText, tokens: [Token], marks: LayoutMarks) {
        self.source = source
        self.tokens = tokens
        self.marks = marks
        var gaps: [LayoutGap] = []
        var end = source.bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        for token in tokens {
            let gap = source.bytes[end..<max(end, token.span.start)]
            gaps.append(LayoutGap(of: gap, atStart: gaps.isEmpty))
            end = token.span.end
        }
        self.gaps = gaps
    }

    // MARK: Spaces

    /// True when no space stands before a token, the one before it being on the same line.
    func isTight(before index: Int) -> Bool {
        guard index > 0 else { return true }
        if marks.attached.contains(index) || marks.prefixes.contains(index - 1) { return true }
        switch tokens[index].sign {
        case .comma, .colon, .closeParen, .closeBracket, .question: return true
        // `@a .b` is a member of `@a`; `@a.b` is another name.
        case .dot: return !isMeta(index - 1)
        default: break
        }
        return [.openParen, .openBracket, .dot].contains(tokens[index - 1].sign)
    }

    private func isMeta(_ index: Int) -> Bool {
        if case .meta = tokens[index].kind { true } else { false }
    }

    // MARK: What cannot stand on one line

    func mustBreak(_ group: LayoutGroup) -> Bool {
        if group.isSpread || group.hasComments { return true }
        if let open = group.open, marks.blocks.contains(open), group.entries.count > 1 {
            return true
        }
        return group.entries.contains { $0.mustBreak }
    }

    func mustBreak(_ entry: LayoutEntry) -> Bool {
        mustBreak(entry.parts[...])
    }

    func mustBreak(_ parts: ArraySlice<LayoutPart>) -> Bool {
        parts.dropFirst().contains { !$0.comments.isEmpty } || parts.contains(where: holdsLines)
            || segments(of: parts).contains { isBrokenChain($0.parts) }
    }

    /// True for a group or a text that takes several lines by itself.
    func holdsLines(_ part: LayoutPart) -> Bool {
        switch part.kind {
        case .group(let group): group.mustBreak
        case .token(let index): source.bytes[tokens[index].span].contains(UInt8(ascii: "\n"))
        }
    }

    // MARK: Operators

    /// A piece of a statement that is broken, or not, by itself.
    struct Segment {
        var parts: ArraySlice<LayoutPart>
        /// True for `=>`, and for braces that do not hold a value.
        var isBorder: Bool
    }

    /// Cuts a statement at its arrows, and at braces other than those of values and columns.
    func segments(of parts: ArraySlice<LayoutPart>) -> [Segment] {
        var segments: [Segment] = []
        var start = parts.startIndex
        for index in parts.indices where isBorder(parts[index]) {
            if start < index {
                segments.append(Segment(parts: parts[start..<index], isBorder: false))
            }
            segments.append(Segment(parts: parts[index...index], isBorder: true))
            start = index + 1
        }
        if start < parts.endIndex {
            segments.append(Segment(parts: parts[start...], isBorder: false))
        }
        return segments
    }

    private func isBorder(_ part: LayoutPart) -> Bool {
        switch part.kind {
        case .group(let group):
            group.isBraced(in: self) && !(group.open.map { marks.lists.contains($0) } ?? false)
        case .token(let index): tokens[index].sign == .arrow
        }
    }

    /// The precedence of an infix operator, or of a comma that brackets do not enclose.
    func precedence(of part: LayoutPart) -> Int? {
        guard case .token(let index) = part.kind else { return nil }
        if tokens[index].sign == .comma { return LayoutMarks.comma }
        return marks.operators[index]?.precedence
    }

    /// The places of the operators that hold least: a text is broken there first.
    func loosestOperators(in parts: ArraySlice<LayoutPart>) -> [Int] {
        let all = parts.indices.compactMap { index in
            precedence(of: parts[index]).map { (index: index, precedence: $0) }
        }
        guard let loosest = all.map(\.precedence).min() else { return [] }
        return all.filter { $0.precedence == loosest }.map(\.index)
    }

    /// True when the text has a line break at one of its loosest operators.
    func isBrokenChain(_ parts: ArraySlice<LayoutPart>) -> Bool {
        loosestOperators(in: parts).contains { index in
            let next = index + tokenCount(of: parts[index])
            return (index > parts.startIndex && parts[index].hasLineBreak)
                || (next < parts.endIndex && parts[next].hasLineBreak)
        }
    }

    /// The number of tokens of an operator.
    func tokenCount(of part: LayoutPart) -> Int {
        marks.operators[part.firstToken]?.count ?? 1
    }

    /// True for operators that may begin a line.
    func leadsLine(_ part: LayoutPart) -> Bool {
        let token = tokens[part.firstToken]
        return token.word == "and" || token.word == "or" || token.sign == .coalesce
            || token.sign == .plus
    }

    // MARK: Commas

    /// True before an entry that would be taken for the rest of the one before.
    func needsComma(before entry: LayoutEntry) -> Bool {
        guard let word = entry.parts.first.flatMap({ tokens[$0.firstToken].word }) else {
            return false
        }
        return ["and", "or", "in", "not", "except"].contains(word)
    }
}

extension [UInt8] {
    subscript(span: Span) -> ArraySlice<UInt8> { self[span.start..<span.end] }
}
