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
        /// Lines are joined to the last one that starts an event.
        case multiline
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
    }

    package let framing: Framing
    /// Bytes of an event that are kept; a longer one is cut.
    package let maxLine: Int
    package let keepEmpty: Bool
    package private(set) var state: State
    /// Lines of the file before ``position``.
    package private(set) var line: Int64
    /// Bytes of the buffer that are framed or skipped.
    package private(set) var position = 0
    private var isFileStart = false

    package init(
        framing: Framing,
        maxLine: Int,
        keepEmpty: Bool = false,
        state: State = .head,
        line: Int64 = 0
    ) {
        self.framing = framing
        self.maxLine = max(maxLine, 1)
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
        next(in: buffer, atEnd: atEnd) { _ in true }
    }

    /// The next whole event, where `startsEvent` says of a line whether it begins one.
    ///
    /// Only multi-line framing asks. The last event of a file is whole when another starts, or
    /// `atEnd`; to end it after a pause, give the buffer up to its last newline and `atEnd`.
    package mutating func next(
        in buffer: UnsafeRawBufferPointer,
        atEnd: Bool,
        startsEvent: (UnsafeRawBufferPointer) -> Bool
    ) -> FramedEvent? {
        guard state == .event || reachesEvent(in: buffer, atEnd, startsEvent) else { return nil }
        switch framing {
        case .lines: return nextLine(in: buffer, atEnd)
        case .csv(let separator, let quote): return nextRecord(in: buffer, atEnd, separator, quote)
        case .multiline: return nextGroup(in: buffer, atEnd, startsEvent)
        }
    }
}

// MARK: - Lines

extension LineFramer {
    private mutating func nextLine(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool
    ) -> FramedEvent? {
        while position < buffer.count {
            let start = position
            guard let newline = buffer.firstIndex(of: newlineByte, from: start) else {
                return unterminated(in: buffer, atEnd)
            }
            let event = take(start..<newline, of: buffer, end: newline + 1, lines: 1)
            if keepEmpty || !event.range.isEmpty { return event }
        }
        return nil
    }

    private mutating func unterminated(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool
    ) -> FramedEvent? {
        let start = position
        guard start < buffer.count else { return nil }
        if exceedsLimit(buffer.count - start) { return cut(from: start, in: buffer) }
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

    /// Cuts a line whose end is not in the buffer; the rest of it is skipped as it comes.
    private mutating func cut(from start: Int, in buffer: UnsafeRawBufferPointer) -> FramedEvent {
        position = start + maxLine
        state = .skippingLine
        return event(start..<buffer.count, of: buffer, lines: 1)
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
    private mutating func nextRecord(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ separator: UInt8,
        _ quote: UInt8
    ) -> FramedEvent? {
        while position < buffer.count {
            let start = position
            let scan = RecordScan(buffer: buffer, separator: separator, quote: quote)
            guard let newline = scan.end(from: start) else {
                return unclosedRecord(in: buffer, atEnd)
            }
            let lines = 1 + buffer[start..<newline].newlineCount
            let event = take(start..<newline, of: buffer, end: newline + 1, lines: lines)
            if keepEmpty || !event.range.isEmpty { return event }
        }
        return nil
    }

    // A quote that nobody closes must not swallow the file: its first line stands for itself,
    // fails in the parser, and reading goes on with the next.
    private mutating func unclosedRecord(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool
    ) -> FramedEvent? {
        guard atEnd || exceedsLimit(buffer.count - position) else { return nil }
        return nextLine(in: buffer, atEnd)
    }
}

/// Where a CSV record ends.
private struct RecordScan {
    let buffer: UnsafeRawBufferPointer
    let separator: UInt8
    let quote: UInt8

    /// The index of the newline that ends the record, if it is there.
    func end(from start: Int) -> Int? {
        guard var newline = buffer.firstIndex(of: newlineByte, from: start) else { return nil }
        var place = start
        while let found = buffer.firstIndex(of: quote, from: place, to: newline) {
            place = found + 1
            // A quote inside an unquoted field is a character like any other.
            guard found == start || buffer[found - 1] == separator else { continue }
            guard let closing = closingQuote(from: place) else { return nil }
            place = closing + 1
            if place <= newline { continue }
            guard let next = buffer.firstIndex(of: newlineByte, from: place) else { return nil }
            newline = next
        }
        return newline
    }

    private func closingQuote(from start: Int) -> Int? {
        var place = start
        while let found = buffer.firstIndex(of: quote, from: place) {
            guard found + 1 < buffer.count, buffer[found + 1] == quote else { return found }
            place = found + 2
        }
        return nil
    }
}

// MARK: - Multi-line events

extension LineFramer {
    private mutating func nextGroup(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ startsEvent: (UnsafeRawBufferPointer) -> Bool
    ) -> FramedEvent? {
        while position < buffer.count {
            guard let group = group(in: buffer, atEnd, startsEvent) else {
                return unfinishedGroup(in: buffer)
            }
            let range = position..<group.contentEnd
            let event = take(range, of: buffer, end: group.end, lines: group.lines)
            if keepEmpty || !event.range.isEmpty { return event }
        }
        return nil
    }

    private typealias Group = (contentEnd: Int, end: Int, lines: Int)

    /// The lines from ``position`` up to the next one that starts an event.
    private func group(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ startsEvent: (UnsafeRawBufferPointer) -> Bool
    ) -> Group? {
        var lines = 0
        var place = position
        while place < buffer.count {
            let newline = buffer.firstIndex(of: newlineByte, from: place)
            if newline == nil, !atEnd { return nil }
            let end = newline ?? buffer.count
            if lines > 0, startsEvent(buffer.line(place..<end)) {
                return (contentEnd: place - 1, end: place, lines: lines)
            }
            lines += 1
            guard newline != nil else { return (contentEnd: end, end: end, lines: lines) }
            place = end + 1
        }
        return atEnd ? (contentEnd: place - 1, end: place, lines: lines) : nil
    }

    private mutating func unfinishedGroup(in buffer: UnsafeRawBufferPointer) -> FramedEvent? {
        let start = position
        guard exceedsLimit(buffer.count - start) else { return nil }
        let lines = 1 + buffer[start..<(start + maxLine)].newlineCount
        position = start + maxLine
        let isLineEdge = buffer[position - 1] == newlineByte
        state = isLineEdge ? .skippingEvent : .skippingLine
        return event(start..<buffer.count, of: buffer, lines: isLineEdge ? lines - 1 : lines)
    }
}

// MARK: - What is not an event

extension LineFramer {
    /// Passes what stands before the next event; false if that is not in the buffer.
    private mutating func reachesEvent(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ startsEvent: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        if state == .head { return passesHead(of: buffer, atEnd) }
        if state == .skippingLine, !skipsLine(in: buffer) { return false }
        if state == .skippingEvent { return skipsEvent(in: buffer, atEnd, startsEvent) }
        return true
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
        state = framing == .multiline ? .skippingEvent : .event
        return true
    }

    private mutating func skipsEvent(
        in buffer: UnsafeRawBufferPointer,
        _ atEnd: Bool,
        _ startsEvent: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        while position < buffer.count {
            let newline = buffer.firstIndex(of: newlineByte, from: position)
            if newline == nil, !atEnd { return skipsLongLine(in: buffer) }
            let end = newline ?? buffer.count
            if startsEvent(buffer.line(position..<end)) {
                state = .event
                return true
            }
            line &+= 1
            position = min(end + 1, buffer.count)
        }
        return false
    }

    // A line without an end in sight starts no event that could be recognised any more.
    private mutating func skipsLongLine(in buffer: UnsafeRawBufferPointer) -> Bool {
        guard exceedsLimit(buffer.count - position) else { return false }
        line &+= 1
        position = buffer.count
        state = .skippingLine
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

    /// A line as a buffer of its own, without the carriage return that may end it.
    fileprivate func line(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        let hasReturn = !range.isEmpty && self[range.upperBound - 1] == carriageReturn
        let end = hasReturn ? range.upperBound - 1 : range.upperBound
        return UnsafeRawBufferPointer(rebasing: self[range.lowerBound..<end])
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
