/// The part of a statement up to its `=`, `:` or `=>`.
struct LayoutHead {
    /// The number of parts before the sign.
    var end: Int
    /// The token of the sign; nil for `headers { … }`, whose brace stands where others have `=`.
    var sign: Int?
    /// The first part behind the sign.
    var body: Int
}

extension LayoutContext {
    /// Longer heads are not aligned: they would push all others away.
    static let longestHead = 40

    /// What an entry has before its sign; nil if it has none, or that part needs several lines.
    func head(of entry: LayoutEntry) -> LayoutHead? {
        let parts = entry.parts
        let found = parts.indices.first { sign(of: parts[$0]) != nil || parts[$0].group != nil }
        guard let end = found, end > 0, end + 1 < parts.count || parts[end].group != nil else {
            return nil
        }
        if parts[end].group != nil { return headersHead(entry, at: end) }
        let before = parts[...end]
        guard case .token(let index) = parts[end].kind, !mustBreak(before) else { return nil }
        return LayoutHead(end: end, sign: index, body: end + 1)
    }

    private func headersHead(_ entry: LayoutEntry, at end: Int) -> LayoutHead? {
        guard entry.parts.count == 2, end == 1, !entry.mustBreak,
            tokens[entry.parts[0].firstToken].word == "headers"
        else { return nil }
        return LayoutHead(end: end, sign: nil, body: end)
    }

    private func sign(of part: LayoutPart) -> Token.Sign? {
        guard case .token(let index) = part.kind, let sign = tokens[index].sign else { return nil }
        return [.assign, .colon, .arrow].contains(sign) ? sign : nil
    }

    /// True for `:`, which stands right behind its name.
    func isTightHead(_ head: LayoutHead) -> Bool {
        head.sign.map { tokens[$0].sign == .colon } ?? false
    }

    /// True for an item of a file that has an empty line above and below.
    func standsApart(_ entry: LayoutEntry) -> Bool {
        guard let first = entry.parts.first, let word = tokens[first.firstToken].word else {
            return true
        }
        return ["from", "parse", "send", "if", "on", "test"].contains(word)
    }
}

/// How far the `=`, `:` and `=>` of a block are moved to stand under one another.
struct LayoutAlignment {
    private let context: LayoutContext
    private let group: LayoutGroup
    private let indent: Int
    private let widths: [Int?]
    private(set) var paddings: [Int]

    init(context: LayoutContext, group: LayoutGroup, indent: Int) {
        self.context = context
        self.group = group
        self.indent = indent
        let printer = LayoutPrinter(context: context)
        widths = group.entries.map { entry in
            guard let head = context.head(of: entry) else { return nil }
            let width = printer.width(printer.flat(entry.parts[..<head.end]))
            return width > LayoutContext.longestHead ? nil : width
        }
        paddings = Array(repeating: 0, count: group.entries.count)
        guard group.isBraced(in: context) else { return }
        if group.open.map({ context.marks.blocks.contains($0) }) ?? true {
            alignSteps()
        } else {
            alignSections()
        }
    }

    // MARK: Settings, members, arms

    /// An empty line begins a new section.
    private mutating func alignSections() {
        var start = 0
        for index in group.entries.indices.dropFirst() where hasBlankLine(above: index) {
            align(start..<index)
            start = index
        }
        align(start..<group.entries.count)
    }

    private func hasBlankLine(above index: Int) -> Bool {
        let entry = group.entries[index]
        return entry.hasBlankBefore || entry.leading.contains { $0.hasBlankBefore }
    }

    private mutating func align(_ range: Range<Int>) {
        let widest = range.compactMap { hasSign($0) ? widths[$0] : nil }.max() ?? 0
        for index in range {
            guard let width = widths[index] else { continue }
            paddings[index] = max(0, widest - width)
        }
    }

    private func hasSign(_ index: Int) -> Bool {
        context.head(of: group.entries[index])?.sign != nil
    }

    // MARK: Steps

    /// Steps of one kind on lines of their own, one right below the other, form a column.
    private mutating func alignSteps() {
        var run: [Int] = []
        for index in group.entries.indices {
            if let last = run.last, !continues(last, with: index) || !fit(run + [index]) {
                align(run[0]..<last + 1)
                run = []
            }
            if isOneLine(index, padding: 0) { run.append(index) }
        }
        if let first = run.first, let last = run.last { align(first..<last + 1) }
    }

    private func continues(_ last: Int, with index: Int) -> Bool {
        last + 1 == index && !hasBlankLine(above: index) && group.entries[index].leading.isEmpty
            && keyword(of: last) == keyword(of: index)
    }

    private func keyword(of index: Int) -> String? {
        group.entries[index].parts.first.flatMap { context.tokens[$0.firstToken].word }
    }

    private func fit(_ run: [Int]) -> Bool {
        let widest = run.compactMap { widths[$0] }.max() ?? 0
        return run.allSatisfy { index in
            widths[index].map { isOneLine(index, padding: widest - $0) } ?? false
        }
    }

    private func isOneLine(_ index: Int, padding: Int) -> Bool {
        let entry = group.entries[index]
        guard widths[index] != nil, hasSign(index), !entry.mustBreak else { return false }
        let printer = LayoutPrinter(context: context)
        let width = printer.width(printer.flat(entry.parts[...]))
        return indent + width + padding <= LayoutContext.width
    }
}

/// Comments behind consecutive lines, which begin at one column.
struct CommentColumn {
    private var pending: [(comment: [UInt8], offset: Int, column: Int)] = []

    mutating func add(_ comment: [UInt8], at offset: Int, column: Int) {
        pending.append((comment, offset, column))
    }

    mutating func flush(into output: inout [UInt8]) {
        let column = (pending.map(\.column).max() ?? 0) + 2
        for line in pending.reversed() {
            let spaces = repeatElement(UInt8(ascii: " "), count: column - line.column)
            output.insert(contentsOf: spaces + line.comment, at: line.offset)
        }
        pending = []
    }
}
