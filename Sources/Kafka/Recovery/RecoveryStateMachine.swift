package import KafkaProtocol
internal import NIOCore

/// What became of the batches that a partition's journal holds when nobody remembers the answers.
///
/// It is told what the leader answers and which batches could be made again, and hands out what to
/// ask, what to send and what became of each batch. Its rules:
/// - What the leader remembers of a producer id proves what was appended, and what was not, as long
///   as it is the leader before and after the question.
/// - What it does not remember proves something only of batches that are young by the time they were
///   closed and by their records' timestamps, for a broker forgets by these. Otherwise the log is read.
/// - A missing batch is sent under its old numbers, one in flight, so that a request of the process
///   that ended, should it still arrive, is a duplicate. Each attempt is preceded by a question to
///   the leader that it is sent to.
/// - Numbers that cannot be used any more are given up only when no such request can be under way.
///   Their records go on under the next epoch, which keeps out what should arrive all the same.
package struct RecoveryStateMachine: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package struct Settings: Sendable {
        /// How long any broker remembers a producer id, whatever its settings.
        package var memory = Duration.seconds(3600)
        /// The brokers' `producer.id.expiration.ms`.
        package var expiry = Duration.seconds(86_400)
        /// How long a request whose sender gave it up, or ended, may be under way.
        package var quietTime = Duration.seconds(30)
        /// Sends what nobody can tell of again, at the risk that it is in the log twice.
        package var repeatsUndecided = false
        /// Looks for batches that the journal has lost even where nothing is in flight.
        package var findsUnjournaled = false
        /// Whose batches are looked for by what their records tell of their places, whatever their
        /// producer id: the owner of the directory that this one is a copy of.
        package var original: String?
        /// When the process before this one had ended at the latest; nil for now.
        package var endedBefore: Instant?
        package var backoff = Backoff(base: .milliseconds(100), limit: .seconds(1))

        package init() {}
    }

    package enum Action: Sendable, Equatable {
        case ask(RecoveryQuestion, RecoveryQuestionID)
        /// One attempt to send a batch under its numbers, to the leader that was asked.
        case send(row: Int64)
        case resolved(row: Int64, RecoveryOutcome)
        /// A batch that was settled is looked for, for the broker has lost records: it has to be made
        /// again, and is resolved anew.
        case unsettled(row: Int64)
        /// A batch in the log that the journal does not know: its positions say how far its files are.
        case unjournaled(FetchedBatch)
        /// It cannot go on; the text says why, and what to do.
        case stop(String)
        /// What follows goes under the successor, or under a fresh producer id without one.
        case done(successor: ProducerIdentity?)
    }

    enum Remake {
        case pending, made, impossible
    }

    enum Fate: Equatable {
        /// It was acknowledged, and is looked for only if the broker lost records.
        case settled
        case unknown
        /// The leader has it, though maybe not all replicas.
        case remembered
        case absent
        /// The broker answered that it is out of sequence, which old duplicates are as well.
        case undecided
        case resolved
    }

    struct Row: Sendable {
        let batch: RecoveryBatch
        var fate: Fate
        var remake = Remake.pending
        /// How often it was refused although it was missing.
        var refusals = 0
        /// Whether its numbers are of no use any more.
        var isRefused = false
        /// Whether it was missing, and was sent.
        var isSent = false
    }

    /// A batch that was acknowledged, at an offset if that was told.
    struct Sent: Sendable, Equatable {
        var index: Int
        var offset: Int64?
        /// Whether it was missing before, so that it lies behind all that was remembered.
        var wasAbsent: Bool
    }

    enum State: Equatable {
        case waitingForLeader
        /// The leader is asked whether it leads, what it remembers, and whether it still leads.
        case opening, describing, closing
        case findingStart, findingEnd
        case reading(Reading)
        /// For requests that are late.
        case waiting
        /// A missing batch is sent, or one that is remembered, so that all replicas have it.
        case sending(Int, isOut: Bool)
        /// Whether the leader that appended a batch is still the one that remembered those before.
        case confirming(Sent)
        /// Nothing may be read: a batch is tried.
        case trying(Int, isOut: Bool)
        case stopped(String)
        case done
    }

    let settings: Settings
    var rows: [Row]
    var acknowledged: RecoveryAcknowledgement?
    var state = State.waitingForLeader
    var actions = CircularBuffer<Action>()
    package internal(set) var report = RecoveryReport()

    // What is known of the leader.
    private var leaderEpoch: Int32?
    /// Whether another one leads since the batch that is out was sent.
    var hasMoved = false
    var canDescribe = true
    var canRead = true
    /// What it remembered when it was asked, and what was sent since.
    var memory: [Int64: ProducersAnswer.Producer] = [:]
    /// When the questions began whose answers are known.
    var evidenceFrom: Instant
    /// Whether only the log can tell.
    var mustRead = false
    /// Whether the log is read from its beginning, for it is shorter than it was.
    var readsAll = false
    /// From where on the log was not read yet.
    var unreadFrom: Int64?
    /// The offset behind the last batch that the journal did not know.
    var unjournaledEnd: Int64 = 0
    /// Producer ids of which something is known to have been appended.
    var knownIDs: Set<Int64> = []
    var hasGivenUp = false
    var successor: ProducerIdentity?

    // Questions and time.
    private var lastQuestion: RecoveryQuestionID = 0
    private var pendingQuestion: RecoveryQuestion?
    private let startedAt: Instant
    /// When the last request was sent whose answer nobody knows.
    var lastUnanswered: Instant
    private let startedAtMilliseconds: Int64
    private var notBefore: Instant?
    private var backoff: Backoff
    private var generator: SeededGenerator

    /// - Parameters:
    ///   - rows: in the order of their records; those of one identity go by their sequences.
    ///   - acknowledged: the last batch of the partition that is known to be.
    ///   - wallClock: the time of day now, in milliseconds since 1970.
    package init(
        rows: [RecoveryBatch],
        acknowledged: RecoveryAcknowledgement?,
        settings: Settings = Settings(),
        wallClock: Int64,
        seed: UInt64 = 0,
        now: Instant
    ) {
        self.settings = settings
        self.acknowledged = acknowledged
        self.startedAt = now
        self.lastUnanswered = min(settings.endedBefore ?? now, now)
        self.startedAtMilliseconds = wallClock
        self.evidenceFrom = now
        self.backoff = settings.backoff
        self.generator = SeededGenerator(seed: seed)
        self.rows = Self.inSequence(rows).map { batch in
            Row(batch: batch, fate: batch.settledOffset == nil ? .unknown : .settled)
        }
        self.knownIDs = Set(
            rows.filter { $0.settledOffset != nil }.map(\.producerID)
                + (acknowledged.map { $0.sequence >= 0 ? [$0.producerID] : [] } ?? [])
        )
        self.resolveAcknowledged()
        if !self.hasOpenRows, !settings.findsUnjournaled { self.finish() }
    }

    /// Puts the batches of each identity in the order of their sequences, in the places they have.
    ///
    /// A piece of a batch has a later row than the batches behind it, and a leader that knows
    /// nothing of the producer id takes whichever comes first.
    private static func inSequence(_ rows: [RecoveryBatch]) -> [RecoveryBatch] {
        var ordered = rows
        for places in Dictionary(grouping: rows.indices, by: { rows[$0].identity }).values {
            let sorted = places.map { rows[$0] }.sorted {
                RecordSequence.distance(from: $0.baseSequence, to: $1.baseSequence) > 0
            }
            for (place, row) in zip(places, sorted) { ordered[place] = row }
        }
        return ordered
    }

    // MARK: What happens

    /// Tells who leads: before anything is asked, and whenever the leader or its epoch changes.
    ///
    /// - Parameters:
    ///   - epoch: the leader's epoch, -1 where it has none; nil while nobody leads.
    ///   - topicID: zero where the cluster has no topic ids.
    package mutating func leaderChanged(epoch: Int32?, topicID: TopicID, now: Instant) {
        guard !self.isOver else { return }
        if let epoch, epoch >= 0, epoch == self.leaderEpoch { return }
        self.leaderEpoch = epoch
        self.pendingQuestion = nil
        self.leaveOut(otherThan: topicID)
        if self.isOut {
            self.hasMoved = true
        } else {
            self.begin(now: now)
        }
    }

    /// A batch was made again as it was, and can be sent.
    package mutating func made(row id: Int64) {
        guard let index = self.index(of: id), self.rows[index].remake == .pending else { return }
        self.rows[index].remake = .made
    }

    /// A batch cannot be made again: its file is gone, or is not what it was.
    package mutating func cannotMake(row id: Int64, now: Instant) {
        guard let index = self.index(of: id) else { return }
        self.rows[index].remake = .impossible
        switch self.state {
        case .sending(index, isOut: false): self.goOn(now: now)
        case .trying(index, isOut: false): self.tryNext(after: index, now: now)
        default: break
        }
    }

    /// Takes an answer; one to a question that has become pointless is passed over.
    package mutating func received(
        _ answer: RecoveryAnswer,
        to id: RecoveryQuestionID,
        now: Instant
    ) {
        guard id == self.lastQuestion, let question = self.pendingQuestion else { return }
        self.pendingQuestion = nil
        if case .failed(let error) = answer {
            return self.questionFailed(question, error, now: now)
        }
        switch (self.state, answer) {
        case (.opening, .offset): self.state = self.canDescribe ? .describing : .findingStart
        case (.describing, .producers(let producers)):
            self.memory = Dictionary(producers.map { ($0.producerID, $0) }) { $1 }
            self.state = .closing
        case (.closing, .offset): self.judge(now: now)
        case (.findingStart, .offset(let start)): self.found(start: start)
        case (.findingEnd, .offset(let end)): self.found(end: end, now: now)
        case (.reading(let reading), .batches(let fetched)):
            self.read(fetched, reading, now: now)
        case (.confirming(let sent), .offset): self.confirmed(sent, now: now)
        default: self.retry(now: now)
        }
    }

    /// The next thing to do; to be asked until it is nil.
    package mutating func nextAction(now: Instant) -> Action? {
        if let action = self.actions.popFirst() { return action }
        if case .waiting = self.state, now >= self.quietFrom { self.begin(now: now) }
        guard self.leaderEpoch != nil, self.pendingQuestion == nil,
            self.notBefore.map({ $0 <= now }) ?? true
        else { return nil }
        self.notBefore = nil
        return self.nextQuestion() ?? self.nextSending()
    }

    /// When to ask again although nothing was told.
    package func nextDeadline(now: Instant) -> Instant? {
        if case .waiting = self.state { return self.quietFrom }
        return self.notBefore.flatMap { $0 > now ? $0 : nil }
    }

    package var status: RecoveryStatus {
        switch self.state {
        case .stopped(let reason): .stopped(reason)
        case .done: .done
        case _ where self.leaderEpoch == nil: .waitingForLeader
        case .waitingForLeader: .waitingForLeader
        case .opening, .describing, .closing, .findingStart, .findingEnd, .confirming: .asking
        case .reading(let reading): .reading(offset: reading.next, end: reading.end)
        case .waiting: .waitingForLateRequests
        case .sending(let index, let isOut), .trying(let index, let isOut):
            isOut || self.rows[index].remake == .made
                ? .sending(row: self.rows[index].batch.id)
                : .waitingForRecords(row: self.rows[index].batch.id)
        }
    }

    // MARK: What is next

    private mutating func nextQuestion() -> Action? {
        let question: RecoveryQuestion
        switch self.state {
        case .opening, .closing, .confirming: question = .highWatermark
        case .describing: question = .producers
        case .findingStart: question = .startOffset
        case .findingEnd: question = .endOffset
        case .reading(let reading):
            let isOfAll = self.settings.original != nil
            question = .batches(from: reading.next, positionsOf: isOfAll ? nil : self.producerIDs)
        case .waitingForLeader, .waiting, .sending, .trying, .stopped, .done: return nil
        }
        self.lastQuestion += 1
        self.pendingQuestion = question
        return .ask(question, self.lastQuestion)
    }

    private mutating func nextSending() -> Action? {
        switch self.state {
        case .sending(let index, isOut: false) where self.rows[index].remake == .made:
            self.state = .sending(index, isOut: true)
            self.hasMoved = false
            return .send(row: self.rows[index].batch.id)
        case .trying(let index, isOut: false) where self.rows[index].remake == .made:
            self.state = .trying(index, isOut: true)
            self.hasMoved = false
            return .send(row: self.rows[index].batch.id)
        default: return nil
        }
    }

    private mutating func questionFailed(
        _ question: RecoveryQuestion,
        _ error: KafkaError?,
        now: Instant
    ) {
        switch (question, error) {
        case (_, .topicAuthorizationFailed): self.canRead = false
        case (.producers, .unsupportedVersion): self.canDescribe = false
        default: break
        }
        if case .confirming = self.state { self.mustRead = true }
        self.retry(now: now)
    }

    /// Begins again after a while.
    mutating func retry(now: Instant) {
        self.wait(now: now)
        self.begin(now: now)
    }

    /// Asks the leader anew, whatever was known.
    mutating func begin(now: Instant) {
        guard !self.isOver else { return }
        guard self.leaderEpoch != nil else { return self.state = .waitingForLeader }
        self.evidenceFrom = max(now, self.notBefore ?? now)
        self.hasMoved = false
        if self.canRead {
            self.state = .opening
        } else {
            self.beginTrying(now: now)
        }
    }

    /// Asks the same once more, after a while.
    mutating func wait(now: Instant) {
        self.notBefore = now + self.backoff.next(using: &self.generator)
    }

    /// Takes note that an answer was of use.
    mutating func proceed() {
        self.backoff.reset()
    }

    // MARK: Facts

    private var isOut: Bool {
        switch self.state {
        case .sending(_, let isOut), .trying(_, let isOut): isOut
        default: false
        }
    }

    var isOver: Bool {
        switch self.state {
        case .stopped, .done: true
        default: false
        }
    }

    /// From when on nothing can arrive that was sent before.
    var quietFrom: Instant { self.lastUnanswered + self.settings.quietTime }

    /// The time of day, in milliseconds since 1970.
    func wallClock(at now: Instant) -> Int64 {
        self.startedAtMilliseconds + Int64((now - self.startedAt) / .milliseconds(1))
    }

    /// Whether it has to be found out what became of a batch.
    func isOpen(_ index: Int) -> Bool {
        self.rows[index].fate != .resolved && self.rows[index].fate != .settled
    }

    func index(of id: Int64) -> Int? {
        self.rows.firstIndex { $0.batch.id == id }
    }

    var hasOpenRows: Bool { self.rows.indices.contains { self.isOpen($0) } }

    /// The producer ids under which there may be batches of ours.
    var producerIDs: Set<Int64> {
        var ids = Set(self.rows.map(\.batch.producerID))
        if let acknowledged { ids.insert(acknowledged.producerID) }
        return ids
    }
}
