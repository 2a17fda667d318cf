/// A comment at its place.
struct LayoutComment {
    var span: Span
    /// False behind something on its line.
    var isOwnLine: Bool
    var hasBlankBefore: Bool
}

/// What stands between a token and the one before it.
struct LayoutGap {
    var comments: [LayoutComment] = []
    var hasLineBreak = false
    /// An empty line, right before the token or the last comment.
    var hasBlankBefore = false

    /// Reads the comments and line breaks of a piece of text without tokens.
    init(of bytes: ArraySlice<UInt8>, atStart: Bool) {
        var lineBreaks = atStart ? 1 : 0
        var position = bytes.startIndex
        while position < bytes.endIndex {
            if bytes[position] == UInt8(ascii: "#") {
                let rest = bytes[position...]
                let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
                comments.append(
                    LayoutComment(
                        span: Span(position, end),
                        isOwnLine: lineBreaks > 0,
                        hasBlankBefore: lineBreaks > 1
                    )
                )
                position = end
                lineBreaks = 0
                continue
            }
            if bytes[position] == UInt8(ascii: "\n") {
                lineBreaks += 1
                hasLineBreak = true
            }
            position += 1
        }
        hasBlankBefore = lineBreaks > 1
    }
}

/// Something between brackets, or the whole file.
struct LayoutGroup {
    /// The index of the opening bracket; nil for the file.
    var open: Int?
    /// The index of the closing bracket; nil for the file.
    var close: Int?
    var entries: [LayoutEntry] = []
    /// Behind the opening bracket, on its line.
    var openingComment: LayoutComment?
    /// Below the last entry.
    var closingComments: [LayoutComment] = []
    /// True when entries stand on lines of their own in the text.
    var isSpread = false
    var mustBreak = false

    var hasComments: Bool {
        openingComment != nil || !closingComments.isEmpty
            || entries.contains { !$0.leading.isEmpty || $0.trailing != nil }
    }
}

/// A statement, a setting, a member, an argument.
struct LayoutEntry {
    var parts: [LayoutPart] = []
    /// Above it.
    var leading: [LayoutComment] = []
    var hasBlankBefore = false
    /// Behind it, on its last line.
    var trailing: LayoutComment?
    var mustBreak = false
}

/// A token or a group, and the comments that stand between it and the part before.
struct LayoutPart {
    indirect enum Kind {
        case token(Int)
        case group(LayoutGroup)
    }

    var kind: Kind
    var comments: [LayoutComment] = []
    var hasLineBreak = false

    var group: LayoutGroup? {
        if case .group(let group) = kind { group } else { nil }
    }

    /// The index of its first token.
    var firstToken: Int {
        switch kind {
        case .token(let index): index
        case .group(let group): group.open ?? 0
        }
    }
}
