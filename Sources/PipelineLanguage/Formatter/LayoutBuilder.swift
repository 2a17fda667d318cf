/// Groups tokens by their brackets and gives each comment to what it belongs to.
struct LayoutBuilder {
    let context: LayoutContext
    private var index = 0
    /// Comments before a comma that is left out; they go where the comma stood.
    private var carried: [LayoutComment] = []

    init(context: LayoutContext) {
        self.context = context
    }

    mutating func file() -> LayoutGroup {
        var group = LayoutGroup()
        entries(into: &group)
        return group
    }

    private var current: Token { context.tokens[index] }
    private var gap: LayoutGap { context.gaps[index] }

    private var isAtClose: Bool {
        current.isEnd || [.closeBrace, .closeParen, .closeBracket].contains(current.sign)
    }

    private mutating func group() -> LayoutGroup {
        var group = LayoutGroup(open: index)
        index += 1
        entries(into: &group)
        group.close = index
        index += 1
        return group
    }

    private mutating func entries(into group: inout LayoutGroup) {
        while !isAtClose {
            group.isSpread = group.isSpread || gap.hasLineBreak
            var entry = LayoutEntry()
            entry.hasBlankBefore = gap.hasBlankBefore
            entry.leading = comments(in: &group)
            parts(into: &entry, isBraced: group.isBraced(in: context))
            passComma(&entry)
            entry.mustBreak = context.mustBreak(entry)
            group.entries.append(entry)
        }
        group.closingComments = comments(in: &group)
        group.mustBreak = context.mustBreak(group)
    }

    /// The comments before the current token, without the one that belongs to what is on its line.
    private mutating func comments(in group: inout LayoutGroup) -> [LayoutComment] {
        var comments = carried + gap.comments
        carried = []
        guard let first = comments.first, !first.isOwnLine else { return comments }
        if let last = group.entries.indices.last {
            guard group.entries[last].trailing == nil else { return comments }
            group.entries[last].trailing = comments.removeFirst()
        } else {
            group.openingComment = comments.removeFirst()
        }
        return comments
    }

    private mutating func parts(into entry: inout LayoutEntry, isBraced: Bool) {
        while !isAtClose {
            if !entry.parts.isEmpty, isBraced, context.marks.entries.contains(index) { return }
            if isSeparator(isBraced: isBraced) { return }
            let gap = entry.parts.isEmpty ? nil : self.gap
            let opens = [.openBrace, .openParen, .openBracket].contains(current.sign)
            let kind: LayoutPart.Kind = opens ? .group(group()) : token()
            entry.parts.append(
                LayoutPart(
                    kind: kind,
                    comments: gap?.comments ?? [],
                    hasLineBreak: gap?.hasLineBreak ?? false
                )
            )
        }
    }

    private mutating func token() -> LayoutPart.Kind {
        index += 1
        return .token(index - 1)
    }

    /// True at a comma between two entries; others are part of a statement: `remove a, b`.
    private func isSeparator(isBraced: Bool) -> Bool {
        guard current.sign == .comma else { return false }
        guard isBraced else { return true }
        let next = context.tokens[index + 1]
        return next.sign == .closeBrace || context.marks.entries.contains(index + 1)
    }

    private mutating func passComma(_ entry: inout LayoutEntry) {
        guard current.sign == .comma else { return }
        carried = gap.comments
        index += 1
        if let first = carried.first, !first.isOwnLine { entry.trailing = carried.removeFirst() }
    }
}

extension LayoutGroup {
    /// True for the file as well, whose items stand like entries between braces.
    func isBraced(in context: LayoutContext) -> Bool {
        open.map { context.tokens[$0].sign == .openBrace } ?? true
    }
}
