internal import FileTailing
internal import Kafka
internal import KafkaProtocol

/// The work of `forktail produce`: lines become records of one topic, and their receipts are counted.
///
/// It is told of input, receipts and time; it reads no file and no clock.
final class ProduceWorker {
    enum Message: Sendable {
        case delivered([Delivery])
        case metadataChanged(TopicMetadata)
        case memoryReturned
        /// Send what was read, wait for it, and end.
        case stop
        /// End now.
        case abort
    }

    struct Settings: Sendable {
        var topic: String
        var partition: Int32?
        /// Milliseconds since 1970; nil for the time of sending.
        var timestamp: Int64?
        var format = LineFormat()
        /// The inputs, in the order in which they are read; `-` is standard input.
        var inputs = ["-"]
        /// Without news for this long while something is owed, Kafka counts as unavailable.
        var timeout = Duration.seconds(30)
        var showsReceipts = false
    }

    /// A line that is on its way into a batch.
    private struct Pending {
        var record: KafkaProducerRecord
        var line: Int64
        var input: Int
    }

    private enum Phase { case reading, draining, done }

    /// How long a topic may be unknown where brokers make topics: they do it after they have answered.
    static let topicCreationTime = Duration.seconds(5)
    /// Failures that are told one by one.
    static let failureTextLimit = 10

    private let settings: Settings
    private let configuration: KafkaProducerConfiguration
    private let listener: any DeliveryListener
    private let sink: any BatchSink
    private let accumulator: RecordAccumulator
    private let wallClock: () -> Int64
    /// What the producer said last about what is wrong.
    private let trouble: () -> String?

    private(set) var report = ProduceReport()
    private var phase = Phase.reading
    private var framer = LineFramer(framing: .lines, maxLine: 1)
    private var bytes: [UInt8] = []
    private var input = 0
    private var inputIsAtEnd = false
    private var pending: Pending?
    private var outstanding = 0
    private var isTopicReady = false
    private var topicMissingSince: ContinuousClock.Instant?
    /// When something was last heard while something was owed.
    private var waitingSince: ContinuousClock.Instant?
    private var data = ""
    private var talk = ""

    init(
        settings: Settings,
        configuration: KafkaProducerConfiguration,
        pool: BufferPool,
        listener: any DeliveryListener,
        sink: any BatchSink,
        onMemory: @escaping @Sendable () -> Void,
        wallClock: @escaping () -> Int64,
        trouble: @escaping () -> String?
    ) {
        self.settings = settings
        self.configuration = configuration
        self.listener = listener
        self.sink = sink
        self.wallClock = wallClock
        self.trouble = trouble
        accumulator = RecordAccumulator(
            configuration: configuration,
            pool: pool,
            onMemory: onMemory
        )
        beginInput()
    }

    // MARK: What it is told

    /// Asks for the topic, so that a wrong set-up is told before the first line is there.
    func start(now: ContinuousClock.Instant) {
        sink.requestMetadata(topics: [settings.topic])
        var name = settings.topic
        let index = name.withUTF8 { accumulator.topicIndex(UnsafeRawBufferPointer($0)) }
        if case .failed(let error) = accumulator.isReady(index) { topicFailed(error) }
        noteWaiting(now: now)
    }

    func step(_ messages: [Message], now: ContinuousClock.Instant) {
        for message in messages { receive(message, now: now) }
        pump(now: now)
        checkPatience(now: now)
    }

    /// Takes bytes of the current input.
    func received(_ new: some Sequence<UInt8>, now: ContinuousClock.Instant) {
        guard phase == .reading else { return }
        bytes += new
        pump(now: now)
    }

    /// The current input is at its end: its last line counts even without a newline.
    func inputEnded(now: ContinuousClock.Instant) {
        inputIsAtEnd = true
        pump(now: now)
    }

    /// The current input cannot be read any further.
    func inputFailed(_ reason: String, now: ContinuousClock.Instant) {
        fail("\(place(input, nil)): cannot be read: \(reason)", status: .noInput)
        phase = .draining
        pump(now: now)
    }

    /// Receipts cannot be written; that counts even after the last of them.
    func outputFailed(_ reason: String) {
        report.gaveUp =
            report.gaveUp ?? ProduceReport.GaveUp(status: .outputFailed, reason: reason)
        finish()
    }

    private func receive(_ message: Message, now: ContinuousClock.Instant) {
        switch message {
        case .delivered(let deliveries):
            waitingSince = nil
            for delivery in deliveries { settle(delivery) }
        case .metadataChanged(let metadata): metadataChanged(metadata, now: now)
        case .memoryReturned: break
        case .stop:
            report.isInterrupted = true
            if phase == .reading { phase = .draining }
        case .abort:
            report.isInterrupted = true
            finish()
        }
    }

    private func metadataChanged(_ metadata: TopicMetadata, now: ContinuousClock.Instant) {
        guard metadata.name == settings.topic else { return }
        accumulator.update(metadata: metadata)
        switch metadata.error {
        case nil:
            isTopicReady = true
            waitingSince = nil
            topicMissingSince = nil
            checkPartition(count: metadata.partitions.count)
        case .unknownTopicOrPartition: topicMissingSince = topicMissingSince ?? now
        case let error?:
            topicMissingSince = nil
            topicFailed(error)
        }
    }

    private func checkPartition(count: Int) {
        guard let partition = settings.partition, Int(partition) >= count else { return }
        giveUp(
            .usage,
            "topic \"\(settings.topic)\" has no partition \(partition): it has"
                + " \(count == 1 ? "one, 0" : "\(count), from 0 to \(count - 1)")"
        )
    }

    private func topicFailed(_ error: KafkaError) {
        switch error {
        case .invalidTopicException:
            giveUp(
                .usage,
                "\"\(settings.topic)\" is no name for a topic: Kafka takes up to 249 letters,"
                    + " digits, dots, underscores and hyphens"
            )
        case .topicAuthorizationFailed:
            giveUp(
                .noPermission,
                "topic \"\(settings.topic)\": \(error); the principal needs WRITE and DESCRIBE"
            )
        default: break
        }
    }

    // MARK: What it asks for

    /// Whether bytes of ``currentInput`` would be of use.
    var wantsInput: Bool {
        phase == .reading && pending == nil && report.gaveUp == nil
    }

    /// The number of the input that is being read.
    var currentInput: Int { input }

    var isDone: Bool { phase == .done }

    /// When to call ``step(_:now:)`` without a message.
    var nextDeadline: ContinuousClock.Instant? {
        let missing = topicMissingSince.map { $0 + topicPatience }
        let waiting = waitingSince.map { $0 + settings.timeout }
        return [accumulator.nextDeadline, missing, waiting].compactMap { $0 }.min()
    }

    /// Lines for standard output, since this was last asked.
    func takeData() -> String { exchange(&data, with: "") }

    /// Lines for standard error, since this was last asked.
    func takeTalk() -> String { exchange(&talk, with: "") }

    // MARK: Lines

    private func pump(now: ContinuousClock.Instant) {
        while phase != .done, pending != nil || nextLine() {
            guard append(now: now) else { break }
        }
        if phase == .draining, pending == nil { accumulator.flush() }
        var batches: [ProducerBatch] = []
        while let batch = accumulator.nextReady(now: now) { batches.append(batch) }
        outstanding += batches.reduce(0) { $0 + $1.recordCount }
        if !batches.isEmpty { sink.submit(batches, for: listener) }
        endIfSettled()
        noteWaiting(now: now)
    }

    /// Makes the next line a pending record; false if there is none, or it ended the reading.
    private func nextLine() -> Bool {
        while let event = nextEvent() {
            report.read += 1
            let line = bytes[event.range]
            do throws(LineError) {
                guard !event.isCut else {
                    let limit = configuration.maxRequestSize
                    fail(
                        "\(place(input, event.line)): longer than max.request.size (\(limit))"
                    )
                    continue
                }
                var record = try settings.format.record(of: line, topic: settings.topic)
                record.partition = settings.partition
                record.timestamp = settings.timestamp
                pending = Pending(record: record, line: event.line, input: input)
                return true
            } catch {
                fail("\(place(input, event.line)): \(error)")
                bytes.removeAll()
                beginInput()
                phase = .draining
                return false
            }
        }
        return false
    }

    private func nextEvent() -> FramedEvent? {
        while phase != .done {
            let event = bytes.withUnsafeBytes { framer.next(in: $0, atEnd: inputIsAtEnd) }
            if let event { return event }
            bytes.removeFirst(framer.position)
            framer.begin(chunkAt: 1)
            guard inputIsAtEnd, bytes.isEmpty, phase == .reading else { return nil }
            input += 1
            guard input < settings.inputs.count else {
                phase = .draining
                return nil
            }
            beginInput()
        }
        return nil
    }

    private func beginInput() {
        inputIsAtEnd = false
        framer = LineFramer(
            framing: .lines,
            maxLine: configuration.maxRequestSize,
            keepEmpty: true,
            // A byte-order mark is a file's affair; what comes through a pipe is sent as it is.
            state: .event
        )
    }

    /// Copies the pending record into a batch; false while it has to wait.
    private func append(now: ContinuousClock.Instant) -> Bool {
        guard let pending, isTopicReady else { return false }
        var name = settings.topic
        let topic = name.withUTF8 { accumulator.topicIndex(UnsafeRawBufferPointer($0)) }
        let result = appendRecord(
            pending.record,
            topic,
            pending.record.timestamp ?? wallClock(),
            owner: UInt64(pending.input),
            position: pending.line,
            now: now,
            to: accumulator
        )
        switch result {
        case .appended: break
        case .bufferFull: return false
        case .tooLarge(let size, let limit):
            let error = KafkaProducerError.recordTooLarge(size: size, limit: limit)
            fail("\(place(pending.input, pending.line)): \(error)")
        case .invalidPartition:
            fail("\(place(pending.input, pending.line)): no such partition")
        }
        self.pending = nil
        return true
    }

    /// How a line is called in what is printed.
    private func place(_ input: Int, _ line: Int64?) -> String {
        let name = settings.inputs[min(input, settings.inputs.count - 1)]
        guard let line else { return name == "-" ? "standard input" : name }
        return name == "-" ? "line \(line)" : "\(name):\(line)"
    }

    // MARK: Receipts

    private func settle(_ delivery: Delivery) {
        let batch = delivery.batch
        accumulator.settled(batch)
        outstanding -= batch.recordCount
        switch delivery.result {
        case .acknowledged(let baseOffset, _):
            report.acknowledged += Int64(batch.recordCount)
            if settings.showsReceipts { show(batch, baseOffset) }
        // Nobody knows what became of it.
        case .failed(.closed): break
        case .failed(let error):
            for record in 0..<batch.recordCount {
                let place = place(
                    Int(batch.run(ofRecord: record).owner),
                    batch.position(ofRecord: record)
                )
                fail("\(place): \(error)", status: Self.status(of: error))
            }
        }
    }

    private func show(_ batch: ProducerBatch, _ baseOffset: Int64) {
        for record in 0..<batch.recordCount {
            let line = batch.position(ofRecord: record)
            let place = place(Int(batch.run(ofRecord: record).owner), line)
            let offset = baseOffset < 0 ? "unknown" : "\(baseOffset + Int64(record))"
            data += "\(place): \(batch.topic) partition \(batch.partition) offset \(offset)\n"
        }
    }

    private static func status(of error: KafkaProducerError) -> ExitStatus {
        switch error {
        case .deliveryTimedOut: return .unavailable
        case .refused(let code, _, _):
            let denied: [KafkaError] = [
                .topicAuthorizationFailed, .clusterAuthorizationFailed, .saslAuthenticationFailed,
            ]
            return denied.contains(KafkaError(rawValue: code)) ? .noPermission : .dataError
        default: return .dataError
        }
    }

    private func fail(_ text: String, status: ExitStatus = .dataError) {
        if status != .noInput { report.failed += 1 }
        report.failureStatus = report.failureStatus ?? status
        if report.failed <= Self.failureTextLimit || status == .noInput {
            talk += "forktail: \(text)\n"
        } else if report.failed == Self.failureTextLimit + 1 {
            talk += "forktail: more records failed; the last line says how many\n"
        }
    }

    // MARK: The end

    private func endIfSettled() {
        if report.gaveUp != nil { return finish() }
        guard phase == .draining, pending == nil else { return }
        // An input without a line still tells whether the topic is there.
        guard isTopicReady || report.failed > 0 || report.isInterrupted else { return }
        guard outstanding == 0, accumulator.openBatchCount == 0 else { return }
        phase = .done
    }

    /// Ends now; lines that are still here count as read.
    private func finish() {
        guard phase != .done else { return }
        phase = .done
        while bytes.withUnsafeBytes({ framer.next(in: $0, atEnd: inputIsAtEnd) }) != nil {
            report.read += 1
        }
    }

    private func giveUp(_ status: ExitStatus, _ reason: String) {
        guard report.gaveUp == nil, phase != .done else { return }
        report.gaveUp = ProduceReport.GaveUp(status: status, reason: reason)
        finish()
    }

    private func noteWaiting(now: ContinuousClock.Instant) {
        let isOwed = !isTopicReady || outstanding > 0 || pending != nil
        if !isOwed { waitingSince = nil } else if waitingSince == nil { waitingSince = now }
    }

    private var topicPatience: Duration {
        configuration.allowsAutoCreateTopics ? Self.topicCreationTime : .zero
    }

    private func checkPatience(now: ContinuousClock.Instant) {
        guard phase != .done else { return }
        if let since = topicMissingSince, since + topicPatience <= now {
            giveUp(
                .configuration,
                "topic \"\(settings.topic)\" does not exist, and the brokers do not make it"
            )
        } else if let since = waitingSince, since + settings.timeout <= now {
            let what = isTopicReady ? "no acknowledgement" : "no answer about the topic"
            let seconds = settings.timeout / .seconds(1)
            giveUp(
                .unavailable,
                "\(what) for \(Int(seconds)) s (--timeout)"
                    + (trouble().map { "; the last trouble: \($0)" } ?? "")
            )
        }
    }
}
