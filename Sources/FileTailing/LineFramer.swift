import CPlatform

/// One event in a buffer: a line, a CSV record, or the lines that travel together.
package struct FramedEvent: Equatable, Sendable {
    /// The bytes of the event in the buffer, without the newline that ends it.
    package var range: Range<Int>
    /// Where the next event begins in the buffer.
    package var end: Int
    /// The number of its first line in the file, from 1.
    package var line: Int64
    package var lineCount: Int
    /// Whether it was longer than the limit and its end is missing.
    package var isCut: Bool
}

/// Cuts a buffer into events.
///
/// A framer belongs to one file and one place in it. It holds no bytes: what is not whole yet is
/// read again with the next chunk, from ``position`` on. Copy it before ``next(in:atEnd:)`` to be
/// able to give an event back.
///
///     framer.begin(chunkAt: offset)
///     while let event = framer.next(in: buffer, atEnd: false) { process(buffer[event.range]) }
///     offset += Int64(framer.position)
package struct LineFramer: Sendable {
    package enum Framing: Equatable, Sendable {
        /// A line ends at a newline; one carriage return before it is not part of it.
        case lines
        /// RFC 4180: a quoted field may hold newlines.
        case csv(separator: UInt8, quote: UInt8)
        /// Lines travel together, as what is asked of each of them says.
        case multiline(Multiline)
    }

    /// What a line that matches means.
    package enum Multiline: Equatable, Sendable {
        /// It begins an event.
        case startsWith
        /// It ends the event.
        case endsWith
        /// It joins the event above it.
        case continuesWith
        /// The next line joins it.
        case continuedBy

        /// Whether a line begins an event, wherever the one above it ends.
        fileprivate func begins(_ matches: Bool) -> Bool {
            switch self {
            case .startsWith: matches
            case .continuesWith: !matches
            case .endsWith, .continuedBy: false
            }
        }

        /// Whether a line ends its event, whatever comes next.
        fileprivate func ends(_ matches: Bool) -> Bool {
            switch self {
            case .endsWith: matches
            case .continuedBy: !matches
            case .startsWith, .continuesWith: false
            }
        }
    }

    /// What becomes of an event that is longer than the limit.
    package enum LongLines: Equatable, Sendable {
        /// Its first bytes are an event, flagged as cut.
        case cut
        /// It is passed over, and counted.
        case skip
    }

    /// What the bytes at the framer's place mean; kept with a checkpoint.
    package enum State: Int64, Sendable {
        /// The file's head: a byte-order mark and a run of NULs may stand here.
        case head = 0
        /// An event's first byte.
        case event = 1
        /// The rest of a line that was cut.
        case skippingLine = 2
        /// The lines of a multi-line event that was cut.
        case skippingEvent = 3
        /// The rest of a CSV record that was cut, outside quotes.
        case skippingRecord = 4
        /// The rest of a CSV record that was cut, inside quotes.
        case skippingQuoted = 5
        /// The rest of the line that ends a multi-line event that was cut.
        case skippingLastLine = 6
    }

    package let framing: Framing
    /// Bytes of an event that are kept; a longer one is cut or skipped.
    package let maxLine: Int
    package let longLines: LongLines
    package let keepEmpty: Bool
    package private(set) var state: State
    /// Lines of the file before ``position``.
    package private(set) var line: Int64
    /// Bytes of the buffer that are framed or skipped.
    package private(set) var position = 0
    /// Events that were longer than the limit and passed over.
    package private(set) var skippedCount: Int64 = 0
    private var isFileStart = false
    /// Bytes of the record being skipped since its quote opened.
    private var quotedCount = 0

    package init(
        framing: Framing,
        maxLine: Int,
        longLines: LongLines = .cut,
        keepEmpty: Bool = false,
        state: State = .head,
        line: Int64 = 0
    ) {
        self.framing = framing
        self.maxLine = max(maxLine, 1)
        self.longLines = longLines
        self.keepEmpty = keepEmpty
        self.state = state
        self.line = line
    }

    /// Begins a buffer whose first byte stands at `offset` in the file.
    package mutating func begin(chunkAt offset: Int64) {
        position = 0
        isFileStart = offset == 0
    }

    /// Begins the file again, after it was rewritten.
    package mutating func restart() {
        state = .head
        line = 0
        position = 0
    }

    /// The next whole event, or nil when the rest of the buffer holds none.
    ///
    /// With `atEnd`, what is left is an event even without a newline. An event longer than the
    /// limit is returned cut, as soon as that many bytes and two more are in the buffer.
    package mutating func next(in buffer: UnsafeRawBufferPointer, atEnd: Bool) -> FramedEvent? {
        next(in: buffer, atEnd: atEnd) { _ in false }
    }

    /// The next whole event, where `matches` says of a line whether the pattern fits it.
    ///
    /// Only multi-line framing asks. Where lines say how an event begins, the last one of a file
    /// is whole when another begins, or `atEnd`; to end it after a pause, give the buffer up to
    /// its last newline and `atEnd`.
    package mutating func next(
        in buffer: UnsafeRawBufferPointer,
        atEnd: Bool,
        matches: (UnsafeRawBufferPointer) -> Bool
    ) -> FramedEvent? {
        while state == .event || reachesEvent(in: buffer, atEnd, matches) {
            guard let event = nextEvent(in: buffer, atEnd, matches) else { return nil }
            if event.isCut, longLines == .skip {
                skippedCount += 1
            } else if keepEmpty || !event.range.isEmpty {
                return event
            }
        }
        return nil
    }

    @inline(__always)
    private mutating func nextEvent(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ matches: (UnsafeRawBufferPointer) -> Bool
    ) -> FramedEvent? {
        guard position < buffer.count else { return nil }
        switch framing {
        case .lines: return nextLine(in: buffer, atEnd)
        case .csv(let separator, let quote): return nextRecord(in: buffer, atEnd, separator, quote)
        case .multiline(let kind): return nextGroup(in: buffer, atEnd, kind, matches)
        }
    }
}

// MARK: - Lines

extension LineFramer {
    private mutating func nextLine(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool
    ) -> FramedEvent? {
        let start = position
        guard let newline = buffer.firstIndex(of: newlineByte, from: start) else {
            return unterminated(in: buffer, atEnd)
        }
        return take(start..<newline, of: buffer, end: newline + 1, lines: 1)
    }

    private mutating func unterminated(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool
    ) -> FramedEvent? {
        let start = position
        if exceedsLimit(buffer.count - start) {
            return cut(in: buffer, end: start + maxLine, lines: 1, leaving: .skippingLine)
        }
        guard atEnd else { return nil }
        position = buffer.count
        return event(start..<buffer.count, of: buffer, lines: 1)
    }

    /// Takes an event whose newline is there, without the carriage return before it.
    private mutating func take(
        _ range: Range<Int>,
        of buffer: UnsafeRawBufferPointer,
        end: Int,
        lines: Int
    ) -> FramedEvent {
        var upper = range.upperBound
        if upper > range.lowerBound, buffer[upper &- 1] == carriageReturn { upper &-= 1 }
        position = end
        return event(range.lowerBound..<upper, of: buffer, lines: lines)
    }

    private mutating func event(
        _ range: Range<Int>,
        of buffer: UnsafeRawBufferPointer,
        lines: Int
    ) -> FramedEvent {
        let first = line &+ 1
        line &+= Int64(lines)
        let isCut = range.count > maxLine
        let kept = isCut ? shortened(range, in: buffer) : range
        return FramedEvent(range: kept, end: position, line: first, lineCount: lines, isCut: isCut)
    }

    /// Cuts an event whose end is not in the buffer; the rest of it is skipped as it comes.
    private mutating func cut(
        in buffer: UnsafeRawBufferPointer,
        end: Int,
        lines: Int,
        leaving state: State
    ) -> FramedEvent {
        let start = position
        position = end
        self.state = state
        return event(start..<buffer.count, of: buffer, lines: lines)
    }

    // Two more than the limit: a line of just the limit may still end in "\r\n".
    private func exceedsLimit(_ count: Int) -> Bool {
        count >= 2 && count - 2 >= maxLine
    }

    /// The first ``maxLine`` bytes, or up to three fewer, so that no character is split.
    private func shortened(_ range: Range<Int>, in buffer: UnsafeRawBufferPointer) -> Range<Int> {
        let limit = range.lowerBound + maxLine
        var end = limit
        while end > range.lowerBound, limit - end < 4, buffer[end] & 0xC0 == 0x80 { end -= 1 }
        let isCharacter = buffer[end] & 0xC0 != 0x80 && end > range.lowerBound
        return range.lowerBound..<(isCharacter ? end : limit)
    }
}

// MARK: - CSV

extension LineFramer {
    /// Limits after which a skipped field is no field but a quote that nobody closes.
    private static let quotedLimit = 16

    private mutating func nextRecord(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ separator: UInt8,
        _ quote: UInt8
    ) -> FramedEvent? {
        let start = position
        let scan = RecordScan(buffer: buffer, atEnd: atEnd, separator: separator, quote: quote)
        switch scan.end(from: start, inside: .fieldStart) {
        case .newline(let newline):
            let lines = 1 + buffer[start..<newline].newlineCount
            return take(start..<newline, of: buffer, end: newline + 1, lines: lines)
        case .unquoted where atEnd:
            let lines = 1 + buffer[start...].newlineCount
            return take(start..<buffer.count, of: buffer, end: buffer.count, lines: lines)
        case .unquoted(let end):
            return unfinishedRecord(in: buffer, atEnd, end, .skippingRecord)
        case .quoted(let end):
            return unfinishedRecord(in: buffer, atEnd, end, .skippingQuoted)
        }
    }

    private mutating func unfinishedRecord(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ end: Int,
        _ rest: State
    ) -> FramedEvent? {
        guard atEnd || exceedsLimit(buffer.count - position) else { return nil }
        if atEnd || mayBeStrayQuote(in: buffer, rest) { return nextLine(in: buffer, atEnd) }
        quotedCount = 0
        let lines = 1 + buffer[position..<end].newlineCount
        return cut(in: buffer, end: end, lines: lines, leaving: rest)
    }

    // A quote that nobody closes must not swallow the file: its first line stands for itself,
    // fails in the parser, and reading goes on with the next.
    private func mayBeStrayQuote(in buffer: UnsafeRawBufferPointer, _ rest: State) -> Bool {
        longLines == .cut && rest == .skippingQuoted
            && buffer.firstIndex(of: newlineByte, from: position) != nil
    }

    /// Passes the rest of a record that was cut; true when the next one is reached.
    private mutating func skipsRecord(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ separator: UInt8,
        _ quote: UInt8
    ) -> Bool {
        let start = position
        let scan = RecordScan(buffer: buffer, atEnd: atEnd, separator: separator, quote: quote)
        let place: RecordScan.Place = state == .skippingQuoted ? .quotes : .field
        switch scan.end(from: start, inside: place) {
        case .newline(let newline):
            line &+= Int64(buffer[start..<newline].newlineCount)
            position = newline + 1
            state = .event
            return true
        case .unquoted(let end):
            position = end
            state = .skippingRecord
            quotedCount = 0
        case .quoted(let end):
            position = end
            quotedCount += end - start
            let isStray = quotedCount / Self.quotedLimit > maxLine
            state = isStray ? .skippingLine : .skippingQuoted
        }
        line &+= Int64(buffer[start..<position].newlineCount)
        return false
    }
}

/// Where a CSV record ends.
private struct RecordScan {
    /// What the first byte of a scan stands in.
    enum Place {
        case fieldStart, field, quotes
    }

    enum End {
        /// The newline that ends the record stands here.
        case newline(Int)
        /// It is not in the buffer; scanning goes on here, inside an unquoted field.
        case unquoted(Int)
        /// It is not in the buffer; scanning goes on here, inside quotes.
        case quoted(Int)
    }

    let buffer: UnsafeRawBufferPointer
    let atEnd: Bool
    let separator: UInt8
    let quote: UInt8

    func end(from start: Int, inside first: Place) -> End {
        var place = start
        if first == .quotes {
            switch closingQuote(from: start) {
            case .found(let closing): place = closing + 1
            case .missing(let end): return .quoted(end)
            }
        }
        var newline = buffer.firstIndex(of: newlineByte, from: place)
        while let found = buffer.firstIndex(of: quote, from: place, to: newline ?? buffer.count) {
            place = found + 1
            // A quote inside an unquoted field is a character like any other.
            let opens = found == start ? first == .fieldStart : buffer[found - 1] == separator
            guard opens else { continue }
            switch closingQuote(from: place) {
            case .found(let closing): place = closing + 1
            case .missing(let end): return .quoted(end)
            }
            if let end = newline, place <= end { continue }
            newline = buffer.firstIndex(of: newlineByte, from: place)
        }
        return newline.map { .newline($0) } ?? unfinished
    }

    private enum ClosingQuote {
        case found(Int)
        /// Looking for it goes on here.
        case missing(Int)
    }

    // What a last quote or separator means, the byte behind it says: it is looked at again.
    private func closingQuote(from start: Int) -> ClosingQuote {
        var place = start
        while let found = buffer.firstIndex(of: quote, from: place) {
            guard found + 1 < buffer.count else { return atEnd ? .found(found) : .missing(found) }
            guard buffer[found + 1] == quote else { return .found(found) }
            place = found + 2
        }
        return .missing(buffer.count)
    }

    private var unfinished: End {
        .unquoted(buffer.last == separator && !atEnd ? buffer.count - 1 : buffer.count)
    }
}

// MARK: - Multi-line events

extension LineFramer {
    /// The lines from ``position`` that travel together.
    private mutating func nextGroup(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ kind: Multiline,
        _ matches: (UnsafeRawBufferPointer) -> Bool
    ) -> FramedEvent? {
        let start = position
        var lines = 0
        var place = start
        while let found = line(from: place, in: buffer, atEnd) {
            let isMatch = matches(found.text)
            if lines > 0, kind.begins(isMatch) {
                return take(start..<(place - 1), of: buffer, end: place, lines: lines)
            }
            lines += 1
            let isLast = kind.ends(isMatch)
            if !found.isWhole, !atEnd {
                let rest: State = isLast ? .skippingLastLine : .skippingLine
                return cut(in: buffer, end: buffer.count, lines: lines, leaving: rest)
            }
            if isLast {
                return take(start..<found.lineEnd, of: buffer, end: found.end, lines: lines)
            }
            if found.contentEnd - start > maxLine {
                return cut(in: buffer, end: found.end, lines: lines, leaving: .skippingEvent)
            }
            place = found.end
        }
        guard atEnd else { return nil }
        let end = buffer[place - 1] == newlineByte ? place - 1 : place
        return take(start..<end, of: buffer, end: place, lines: lines)
    }

    private struct Line {
        /// What is matched: no more than the limit of it.
        let text: UnsafeRawBufferPointer
        /// Where it ends, without its carriage return and newline.
        let contentEnd: Int
        /// Where its newline stands, or the buffer ends.
        let lineEnd: Int
        /// Where the next one begins.
        let end: Int
        /// Whether its newline is there.
        let isWhole: Bool
    }

    /// The line at `start`, if enough of it is there to know what it is.
    private func line(
        from start: Int,
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool
    ) -> Line? {
        guard start < buffer.count else { return nil }
        let newline = buffer.firstIndex(of: newlineByte, from: start)
        if newline == nil, !atEnd, !exceedsLimit(buffer.count - start) { return nil }
        let end = newline ?? buffer.count
        let hasReturn = end > start && buffer[end - 1] == carriageReturn
        let contentEnd = hasReturn ? end - 1 : end
        let text = buffer[start..<min(contentEnd, start + maxLine)]
        return Line(
            text: UnsafeRawBufferPointer(rebasing: text),
            contentEnd: contentEnd,
            lineEnd: end,
            end: newline.map { $0 + 1 } ?? end,
            isWhole: newline != nil
        )
    }
}

// MARK: - What is not an event

extension LineFramer {
    /// Passes what stands before the next event; false if that is not in the buffer.
    private mutating func reachesEvent(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ matches: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        switch state {
        case .event: return true
        case .head: return passesHead(of: buffer, atEnd)
        case .skippingRecord, .skippingQuoted:
            guard case .csv(let separator, let quote) = framing else {
                return skipsLine(in: buffer)
            }
            return skipsRecord(in: buffer, atEnd, separator, quote)
        case .skippingLine:
            guard skipsLine(in: buffer) else { return false }
            return skipsEvent(in: buffer, atEnd, matches)
        case .skippingLastLine: return skipsLine(in: buffer)
        case .skippingEvent: return skipsEvent(in: buffer, atEnd, matches)
        }
    }

    private mutating func passesHead(of buffer: UnsafeRawBufferPointer, _ atEnd: Bool) -> Bool {
        guard position < buffer.count else { return false }
        if isFileStart, position == 0 {
            let common = zip(buffer, byteOrderMark).prefix { $0 == $1 }.count
            if common == buffer.count, common < byteOrderMark.count, !atEnd { return false }
            if common == byteOrderMark.count {
                position = common
                state = .event
                return true
            }
        }
        // A writer that did not notice copytruncate leaves a hole before its next line.
        while position < buffer.count, buffer[position] == 0 { position += 1 }
        guard position < buffer.count else { return false }
        state = .event
        return true
    }

    private mutating func skipsLine(in buffer: UnsafeRawBufferPointer) -> Bool {
        guard let newline = buffer.firstIndex(of: newlineByte, from: position) else {
            position = buffer.count
            return false
        }
        position = newline + 1
        if case .multiline = framing, state == .skippingLine {
            state = .skippingEvent
        } else {
            state = .event
        }
        return true
    }

    /// Passes the lines that would have joined an event that was cut.
    private mutating func skipsEvent(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ matches: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        guard case .multiline(let kind) = framing else {
            state = .event
            return true
        }
        while let found = line(from: position, in: buffer, atEnd) {
            let isMatch = matches(found.text)
            if kind.begins(isMatch) {
                state = .event
                return true
            }
            line &+= 1
            position = found.end
            let isLast = kind.ends(isMatch)
            if !found.isWhole, !atEnd {
                state = isLast ? .skippingLastLine : .skippingLine
                return false
            }
            if isLast {
                state = .event
                return true
            }
        }
        return false
    }
}

private let newlineByte = UInt8(ascii: "\n")
private let carriageReturn = UInt8(ascii: "\r")
private let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

extension UnsafeRawBufferPointer {
    /// The index of the first `byte` at or after `start` and before `end`.
    @inline(__always)
    fileprivate func firstIndex(of byte: UInt8, from start: Int, to end: Int) -> Int? {
        guard let base = baseAddress, start < end else { return nil }
        // Safe: start and end lie in this buffer, and memchr's result between them.
        guard let found = memchr(base + start, Int32(byte), end - start) else { return nil }
        return base.distance(to: UnsafeRawPointer(found))
    }

    @inline(__always)
    fileprivate func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        firstIndex(of: byte, from: start, to: count)
    }
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate var newlineCount: Int {
        let bytes = UnsafeRawBufferPointer(rebasing: self)
        var count = 0
        var place = 0
        while let found = bytes.firstIndex(of: newlineByte, from: place) {
            count += 1
            place = found + 1
        }
        return count
    }
}
