import PipelineLanguage

/// What is known of the file that a line came from.
package struct FileContext: Sendable {
    package var path: String {
        didSet { refresh() }
    }
    package var inode: UInt64
    /// Nanoseconds since 1970.
    package var modified: Int64
    /// The CSV header row as it stands in the file; kept with the checkpoint.
    package var header: [UInt8]? {
        didSet { layout = nil }
    }
    fileprivate var pathBytes: [UInt8] = []
    fileprivate var nameBytes: [UInt8] = []
    var layout: CSVLayout?

    package init(path: String, inode: UInt64, modified: Int64, header: [UInt8]?) {
        self.path = path
        self.inode = inode
        self.modified = modified
        self.header = header
        refresh()
    }

    private mutating func refresh() {
        pathBytes = Array(path.utf8)
        let start = pathBytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        nameBytes = Array(pathBytes[start...])
    }
}

/// Where a record stands, and when it was read.
package struct RecordPosition: Sendable {
    /// Counted from one; 0 where nobody has counted.
    package var line: Int64
    /// Bytes from the start of the file to the record's first.
    package var offset: Int64
    /// Milliseconds since 1970.
    package var readTime: Int64

    package init(line: Int64, offset: Int64, readTime: Int64) {
        self.line = line
        self.offset = offset
        self.readTime = readTime
    }
}

/// Why a record could not be sent as it should.
package struct RecordFailure: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case parse, reject, expr, kafka
    }

    package var kind: Kind
    /// What goes into `dlq.message`.
    package var message: String

    /// The message without the data in it, so that alike failures count as one.
    package var summary: String {
        let parts = message.split(separator: "\"", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0].hasSuffix(": ") else { return message }
        return "\(parts[0])…\(parts[2...].joined(separator: "\""))"
    }
}

/// How a line ended.
package enum Fate: Sendable {
    /// This many records are staged.
    case sent(Int)
    /// An index into the program's `dropReasons`.
    case dropped(reason: Int)
    /// Not a record: a header row.
    case consumed
    /// The records that `on error` sends are staged.
    case deadLettered(RecordFailure)
    case skipped(RecordFailure)
    case stopped(RecordFailure)
}

/// A Kafka record made of a line; its spans are valid until the next line.
package struct StagedRecord {
    package struct Header {
        package var name: Text
        package var value: Text?

        package init(name: Text, value: Text?) {
            self.name = name
            self.value = value
        }
    }

    package var topic: Text
    package var key: Text?
    package var value: Text?
    package var headers: [Header] = []
    /// Milliseconds since 1970.
    package var timestamp: Int64?
    package var partition: Int32?
    /// The name of a cluster that is not the process's own.
    package var cluster: Text?

    package var topicName: String { String(decoding: topic, as: UTF8.self) }
}

/// Runs a program over one line after another; belongs to one thread.
package final class RecordProcessor {
    // Safe: one thread has it, and no property is handed out while it is being changed. The run-time
    // check of that costs more than the line's work.

    package let program: Program
    /// What the last line became.
    @exclusivity(unchecked) package private(set) var staged: [StagedRecord] = []

    let scratch = Scratch()
    let matcher = RegexMatcher()
    let writer = JSONWriter()
    let record: Record
    @exclusivity(unchecked) var locals: [Value] = []
    var now: Int64 = 0
    @exclusivity(unchecked) var position = RecordPosition(line: 0, offset: 0, readTime: 0)
    @exclusivity(unchecked) var raw = Text(start: nil, count: 0)
    @exclusivity(unchecked) var path = Text(start: nil, count: 0)
    @exclusivity(unchecked) var fileName = Text(start: nil, count: 0)
    @exclusivity(unchecked) var inode: UInt64 = 0
    @exclusivity(unchecked) var modified: Int64 = 0
    @exclusivity(unchecked) var failure: RecordFailure?
    /// Whether the last line made a record for another cluster than the program's.
    @exclusivity(unchecked) private var isSentElsewhere = false
    /// Set by a test's `given`.
    @exclusivity(unchecked) var given: [Meta: Value] = [:]
    @exclusivity(unchecked) var csvCells: [CSVCell] = []
    @exclusivity(unchecked) var logfmtPairs: [LogfmtPair] = []
    @exclusivity(unchecked) var lineFields = LineFields()
    /// By column.
    @exclusivity(unchecked) var times: [LastTime]
    @exclusivity(unchecked) private var columnWatch: ColumnWatch
    /// Which of the program's `coveragePoints` any line has reached.
    @exclusivity(unchecked) package internal(set) var reached: [Bool] = []

    package init(program: Program) {
        self.program = program
        locals = Array(repeating: .missing, count: program.plan.localNames.count)
        record = Record(slotCount: program.slotNames.count)
        times = program.columns.map { _ in LastTime() }
        columnWatch = ColumnWatch(program.columns)
        reached = Array(repeating: false, count: program.coveragePoints.count)
    }

    /// Whether a line fits the pattern that says which lines are one event.
    package func matchesLine(_ line: Text) -> Bool {
        guard let regex = program.multilineRegex else { return false }
        return (try? matcher.match(regex, line)) ?? false
    }

    /// Runs the program over one event.
    package func process(
        _ event: Text,
        in file: inout FileContext,
        at position: RecordPosition
    ) -> Fate {
        begin(event, position)
        return withFile(&file) { file in
            do throws(EvaluationError) {
                guard try parse(event, in: &file) else { return .consumed }
                return try run(program.code)
            } catch {
                let failure = RecordFailure(kind: error.kind, message: error.message)
                return error.stopsFile ? .stopped(failure) : fail(failure)
            }
        }
    }

    /// How many records are looked at for columns that none of them has.
    package static let columnWatchLength = ColumnWatch.recordCount

    /// Takes the last record into account, which was not tried before.
    ///
    /// - Returns: the optional columns that none of the first ``columnWatchLength`` had, once, with
    ///   the last of them; no names otherwise.
    @inline(__always)
    package func watchColumns() -> [String] {
        columnWatch.isWatching ? lookAtColumns() : []
    }

    private func lookAtColumns() -> [String] {
        guard columnWatch.look(at: record) else { return [] }
        return columnWatch.unseen.map { program.columns[$0].label }
    }

    /// Parses an event and runs no step.
    package func parseOnly(
        _ event: Text,
        in file: inout FileContext,
        at position: RecordPosition
    ) -> ParsedEvent {
        begin(event, position)
        return withFile(&file) { file in
            do throws(EvaluationError) {
                guard try parse(event, in: &file) else { return .consumed }
                return .fields(try allFields(except: []).members.map(shownField))
            } catch {
                return .failed
            }
        }
    }

    /// Hands an event that Kafka refuses to `on error`.
    package func fail(
        _ event: Text,
        in file: inout FileContext,
        at position: RecordPosition,
        kind: RecordFailure.Kind,
        message: String
    ) -> Fate {
        begin(event, position)
        return withFile(&file) { _ in fail(RecordFailure(kind: kind, message: message)) }
    }

    // MARK: Beginning and ending

    private func begin(_ event: Text, _ position: RecordPosition) {
        scratch.reset()
        staged.removeAll(keepingCapacity: true)
        raw = event
        self.position = position
        failure = nil
        isSentElsewhere = false
    }

    private func withFile<Result>(
        _ file: inout FileContext,
        _ body: (inout FileContext) -> Result
    ) -> Result {
        inode = file.inode
        modified = file.modified
        // Kept alive and in place by the two constants below.
        let pathBytes = file.pathBytes
        let nameBytes = file.nameBytes
        return pathBytes.withUnsafeBytes { path in
            nameBytes.withUnsafeBytes { name in
                self.path = path
                fileName = name
                return body(&file)
            }
        }
    }

    private func run(_ code: Code) throws(EvaluationError) -> Fate {
        var next = 0
        while next < code.instructions.count {
            switch code.instructions[next] {
            case .local(let index, let node): locals[index] = try evaluate(node)
            case .set(let path, let node): try set(path, to: try evaluate(node))
            case .remove(let path): try remove(path)
            case .rename(let path, let target): try rename(path, to: target)
            case .keep(let kept): try keep(kept)
            case .drop(let reason, let condition):
                if try holds(condition) { return .dropped(reason: reason) }
            case .reject(let reason, let condition):
                if try holds(condition) { throw EvaluationError(reason, kind: .reject) }
            case .branch(let condition, let target):
                if try !holds(condition) {
                    next = target
                    continue
                }
            case .jump(let target):
                next = target
                continue
            case .send(let send): try stage(send)
            case .reached(let point): reached[point] = true
            }
            next += 1
        }
        return ending
    }

    /// How a line ends that has come to the end of its steps.
    private var ending: Fate {
        guard staged.isEmpty, isSentElsewhere, let reason = program.elsewhereReason else {
            return .sent(staged.count)
        }
        return .dropped(reason: reason)
    }

    private func holds(_ condition: Node?) throws(EvaluationError) -> Bool {
        guard let condition else { return true }
        return try isTrue(try evaluate(condition))
    }

    // MARK: Sending

    private func stage(_ send: CompiledSend) throws(EvaluationError) {
        var record = StagedRecord(topic: try text(of: try evaluate(send.topic)))
        if let key = send.key { record.key = try payload(try evaluate(key)) }
        record.value = try payload(try evaluate(send.value))
        if let timestamp = send.timestamp {
            record.timestamp = try milliseconds(try evaluate(timestamp))
        }
        if let partition = send.partition {
            record.partition = try self.partition(try evaluate(partition))
        }
        for header in send.headers {
            guard let value = try payload(try evaluate(header.value)) else { continue }
            record.headers.append(.init(name: header.name, value: value))
        }
        // It was made all the same: had it failed, nothing of the line would be sent anywhere.
        if send.isElsewhere, !isAnswerToKafka {
            isSentElsewhere = true
            return
        }
        record.cluster = send.cluster
        staged.append(record)
    }

    /// What answers a refusal goes to the cluster that refused, for no other has to do with it.
    private var isAnswerToKafka: Bool { failure?.kind == .kafka }

    /// The bytes of a key, a value or a header; `nil` for no value.
    private func payload(_ value: Value) throws(EvaluationError) -> Text? {
        switch value {
        case .missing, .null: nil
        case .object, .list: jsonText(of: value)
        default: try text(of: value)
        }
    }

    private func milliseconds(_ value: Value) throws(EvaluationError) -> Int64? {
        switch value {
        case .missing, .null: return nil
        case .time(let nanoseconds): return nanoseconds.flooredDivision(by: 1_000_000)
        default: throw EvaluationError("timestamp: \(value.kindName) is not a time")
        }
    }

    private func partition(_ value: Value) throws(EvaluationError) -> Int32? {
        switch value {
        case .missing, .null: return nil
        case .int(let number):
            if let partition = Int32(exactly: number), partition >= 0 { return partition }
            throw EvaluationError("partition: \(number) is not a partition")
        default: throw EvaluationError("partition: \(value.kindName) is not an int")
        }
    }

    // MARK: Failing

    private func fail(_ failure: RecordFailure) -> Fate {
        staged.removeAll(keepingCapacity: true)
        isSentElsewhere = false
        self.failure = failure
        do throws(EvaluationError) {
            switch program.errorCode {
            case .skip: return .skipped(failure)
            case .stop: return .stopped(failure)
            case .deadLetter(let topic, let isElsewhere):
                isSentElsewhere = isElsewhere && !isAnswerToKafka
                if isSentElsewhere { return ending }
                try stageDeadLetter(to: topic, failure)
            case .steps(let code):
                let fate = try run(code)
                if case .dropped(let reason) = fate {
                    return reason == program.elsewhereReason ? fate : .skipped(failure)
                }
            }
            return staged.isEmpty ? .skipped(failure) : .deadLettered(failure)
        } catch {
            // The policy itself cannot be carried out: nothing may be lost, so nothing goes on.
            staged.removeAll(keepingCapacity: true)
            let message = "\(failure.message); and `on error` failed: \(error.message)"
            return .stopped(RecordFailure(kind: failure.kind, message: message))
        }
    }

    private func stageDeadLetter(
        to topic: Node,
        _ failure: RecordFailure
    ) throws(EvaluationError) {
        var record = StagedRecord(topic: try text(of: try evaluate(topic)), value: raw)
        func add(_ name: StaticString, _ value: Text) {
            let name = Text(start: name.utf8Start, count: name.utf8CodeUnitCount)
            record.headers.append(.init(name: name, value: value))
        }
        add("dlq.pipeline", scratch.copy(program.name))
        add("dlq.version", program.version)
        add("dlq.kind", scratch.copy(failure.kind.rawValue))
        add("dlq.message", scratch.copy(failure.message))
        add("dlq.path", scratch.copy(path))
        add("dlq.offset", scratch.copy("\(position.offset)"))
        if position.line > 0 { add("dlq.line", scratch.copy("\(position.line)")) }
        add("dlq.host", try text(of: meta(.host)))
        let time = position.readTime.multipliedReportingOverflow(by: 1_000_000).partialValue
        add("dlq.time", scratch.copy(formatISO8601(time)))
        staged.append(record)
    }
}

extension Int64 {
    /// Rounds towards the past, also before 1970.
    func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
