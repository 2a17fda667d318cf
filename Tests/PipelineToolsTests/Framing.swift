import PipelineLanguage
import RecordProcessing

/// Cuts a text into events as the framer of files does, as far as these tests need it.
func events(
    of plan: Plan,
    in bytes: Text,
    _ matches: (Text) -> Bool
) -> [PipelineTestRunner.Event] {
    var events: [PipelineTestRunner.Event] = []
    var isContinued = false
    for line in lines(of: plan, in: bytes) {
        var end = line.range.upperBound
        if end > line.range.lowerBound, bytes[end - 1] == 0x0D { end -= 1 }
        guard end > line.range.lowerBound else { continue }
        let range = line.range.lowerBound..<end
        let isMatch = plan.input.multiline != nil && matches(Text(rebasing: bytes[range]))
        defer { isContinued = isMatch }
        if joins(plan.input.multiline, isMatch, isContinued), !events.isEmpty {
            events[events.count - 1].range = events[events.count - 1].range.lowerBound..<end
        } else {
            events.append(.init(range: range, line: line.line))
        }
    }
    return events
}

/// Whether a line joins the event above it.
private func joins(_ multiline: Multiline?, _ isMatch: Bool, _ isContinued: Bool) -> Bool {
    switch multiline {
    case .startsWith: !isMatch
    case .continuedBy: isContinued
    default: false
    }
}

private func lines(of plan: Plan, in bytes: Text) -> [PipelineTestRunner.Event] {
    let isCSV = if case .csv = plan.format { true } else { false }
    var lines: [PipelineTestRunner.Event] = []
    var start = 0
    var isQuoted = false
    for (place, byte) in bytes.enumerated() {
        if isCSV, byte == UInt8(ascii: "\"") { isQuoted.toggle() }
        guard byte == UInt8(ascii: "\n"), !isQuoted else { continue }
        lines.append(.init(range: start..<place, line: Int64(lines.count + 1)))
        start = place + 1
    }
    if start < bytes.count {
        lines.append(.init(range: start..<bytes.count, line: Int64(lines.count + 1)))
    }
    return lines
}
