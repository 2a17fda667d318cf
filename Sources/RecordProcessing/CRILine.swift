/// The lines that container runtimes write for Kubernetes: `TIME STREAM FLAG MESSAGE`.
///
/// A runtime splits a long line: every part but the last has the flag `P`. The framer hands over
/// the parts of one line as one event, and here they are joined again.
enum CRILine {
    private enum Place: Int {
        case time, stream, flag, message
    }

    private struct Part {
        let time: Text
        let stream: Text
        let flag: Text
        let message: Text
    }

    /// - Parameter maxLine: the length at which an event is cut, and its last part with it.
    /// - Returns: what does not fit, in words.
    static func parse(
        _ event: Text,
        maxLine: Int,
        into fields: inout LineFields,
        _ scratch: Scratch
    ) -> String? {
        let end = event.firstIndex(of: UInt8(ascii: "\n")) ?? event.count
        guard let first = part(Text(rebasing: event[..<end])) else {
            return "it is not TIME STREAM FLAG MESSAGE"
        }
        fields[Place.time.rawValue] = first.time
        fields[Place.stream.rawValue] = first.stream
        guard end < event.count else {
            fields[Place.flag.rawValue] = first.flag
            fields[Place.message.rawValue] = first.message
            return nil
        }
        var joined = JoinedText(scratch.allocate(event.count))
        var last = first
        joined.append(first.message)
        var start = end + 1
        while start <= event.count {
            let end = event[start...].firstIndex(of: UInt8(ascii: "\n")) ?? event.count
            guard let next = part(Text(rebasing: event[start..<end])) else {
                // Of a cut event the last part may end within its time, stream or flag.
                guard end == event.count, event.count > maxLine - cutMargin else {
                    return "a part is not TIME STREAM FLAG MESSAGE"
                }
                break
            }
            guard equal(next.stream, first.stream) else {
                return "parts of stdout and stderr are mixed"
            }
            // With `multiline`, whole lines travel together as well.
            if !isPart(last.flag) { joined.append(UInt8(ascii: "\n")) }
            joined.append(next.message)
            last = next
            start = end + 1
        }
        fields[Place.flag.rawValue] = last.flag
        fields[Place.message.rawValue] = joined.text
        return nil
    }

    /// An event is cut up to three bytes short of its limit, so that no character is split.
    private static let cutMargin = 4

    private static func isPart(_ flag: Text) -> Bool { flag[0] == UInt8(ascii: "P") }

    private static func part(_ line: Text) -> Part? {
        var cursor = LineCursor(line)
        guard let time = cursor.word(), let stream = cursor.word(), let tags = cursor.word(),
            tags[0] == UInt8(ascii: "P") || tags[0] == UInt8(ascii: "F"),
            tags.count == 1 || tags[1] == UInt8(ascii: ":")
        else { return nil }
        let flag = Text(rebasing: tags[..<1])
        return Part(time: time, stream: stream, flag: flag, message: cursor.rest)
    }
}

/// Texts one behind the other, in memory that holds them all.
private struct JoinedText {
    private let memory: UnsafeMutableRawBufferPointer
    private var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) {
        self.memory = memory
    }

    var text: Text { Text(rebasing: memory[..<count]) }

    mutating func append(_ byte: UInt8) {
        memory[count] = byte
        count += 1
    }

    mutating func append(_ text: Text) {
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyBytes(from: text)
        count += text.count
    }
}
