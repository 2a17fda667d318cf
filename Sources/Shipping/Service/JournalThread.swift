internal import Checkpointing
internal import Kafka
internal import Logging
internal import Synchronization

/// The thread that makes batches durable before they are sent.
///
/// Others speak to it through its inbox only.
final class JournalThread: BatchJournal {
    private let mailbox: Mailbox<JournalMessage>
    private let recoveries = Mutex(Recoveries())
    /// What is not known yet of partitions, for reports.
    private struct Recoveries {
        var underWay: Set<TopicPartition> = []
        /// Those that cannot go on, and what to do.
        var stopped: [TopicPartition: String] = [:]
        /// What was found out of the others.
        var report = RecoveryReport()
        var isChanged = false
        var publish: (@Sendable (RecoveryStanding) -> Void)?

        var standing: RecoveryStanding {
            RecoveryStanding(
                pending: underWay.subtracting(stopped.keys),
                stopped: stopped,
                report: report
            )
        }
    }

    private let rows: RowMaker
    private let unjournaled: UnjournaledRows
    private let wallClock: @Sendable () -> Int64
    private let logger: Logger

    /// - Parameter wallClock: milliseconds since 1970.
    init(
        _ rows: RowMaker,
        _ unjournaled: UnjournaledRows,
        wallClock: @escaping @Sendable () -> Int64,
        logger: Logger
    ) throws {
        self.rows = rows
        self.unjournaled = unjournaled
        self.wallClock = wallClock
        self.logger = logger
        mailbox = try Mailbox()
    }

    func start(_ worker: JournalWorker) throws {
        try mailbox.startThread(name: "journal") { [self] in run(worker) }
    }

    func post(_ message: JournalMessage) { mailbox.post(message) }

    /// Writes what waits; returns when that is done.
    func stop() { mailbox.stop() }

    private func run(_ first: JournalWorker) {
        var worker = first
        while true {
            let (messages, isStopping) = mailbox.take()
            worker.step(messages, now: .now)
            publishRecoveries()
            if isStopping, messages.isEmpty { break }
            mailbox.sleep(until: worker.nextDeadline)
        }
        worker.end(now: .now)
    }

    // MARK: BatchJournal

    func write(
        _ batches: [ProducerBatch],
        then committed: @escaping @Sendable ([ProducerBatch]) -> Void
    ) {
        post(.close(batches.map(rows.close)) { committed(batches) })
    }

    func delivered(_ deliveries: [Delivery]) {
        let receipts = deliveries.filter { $0.batch.journalID != 0 || $0.batch.replaces != 0 }
        if !receipts.isEmpty { post(.delivered(receipts.map { RowReceipt($0) })) }
    }

    func opened(_ identity: ProducerIdentity, clusterID: String) {
        post(.opened(identity, clusterID: clusterID))
    }

    func resolved(row: Int64, _ outcome: RecoveryOutcome) {
        post(.resolved(row: row, outcome))
    }

    func unsettled(row: Int64) {
        post(.unsettled(row: row))
    }

    func recovered(_ partition: TopicPartition, _ report: RecoveryReport) {
        recoveries.withLock { recoveries in
            recoveries.underWay.remove(partition)
            recoveries.stopped[partition] = nil
            recoveries.report.add(report)
            recoveries.isChanged = true
        }
        post(.recovered(partition))
        guard report != RecoveryReport() else { return }
        let level: Logger.Level =
            report.lostRecords > 0 || report.possibleRepeats > 0 ? .warning : .notice
        logger.log(
            level: level,
            "what a crash left open is settled",
            metadata: [
                "event": "recovery.done", "topic": "\(partition.topic)",
                "partition": "\(partition.partition)",
                "found_records": "\(report.foundRecords)",
                "sent_records": "\(report.sentRecords)",
                "absent_records": "\(report.absentRecords)",
                "unjournaled_records": "\(report.unjournaledRecords)",
                "lost_records": "\(report.lostRecords)",
                "possible_repeats": "\(report.possibleRepeats)",
            ]
        )
    }

    func recoveryStopped(_ partition: TopicPartition, reason: String) {
        recoveries.withLock { recoveries in
            recoveries.stopped[partition] = reason
            recoveries.isChanged = true
        }
        mailbox.wake()
        noteStop(of: partition, reason)
    }

    private func noteStop(of partition: TopicPartition, _ reason: String) {
        logger.error(
            "nothing is sent to a partition",
            metadata: [
                "event": "recovery.stopped", "topic": "\(partition.topic)",
                "partition": "\(partition.partition)", "cause": "\(reason)",
            ]
        )
    }

    func unjournaled(
        _ batch: FetchedBatch,
        of partition: TopicPartition,
        partitionCount: Int32
    ) {
        let (row, unknownRecords) = unjournaled.row(
            id: rows.takeID(),
            of: batch,
            partition,
            partitionCount: partitionCount,
            wallClock: wallClock()
        )
        post(.found(row))
        guard unknownRecords > 0 else { return }
        logger.warning(
            """
            a batch is in Kafka that the journal has lost, with records of files that are not known \
            here: if they are read, these are sent again
            """,
            metadata: [
                "event": "recovery.unjournaled", "topic": "\(partition.topic)",
                "partition": "\(partition.partition)", "offset": "\(batch.baseOffset)",
                "count": "\(unknownRecords)",
            ]
        )
    }

    func recoveryWidened(topic: String, _ partitions: [TopicPartition]) {
        recover(partitions)
        post(.widened(topic: topic, partitions))
    }

    // MARK: Reports

    /// Takes note of partitions of which something is found out.
    func recover(_ partitions: [TopicPartition]) {
        recoveries.withLock { recoveries in
            recoveries.underWay.formUnion(partitions)
            recoveries.isChanged = true
        }
    }

    /// Has `publish` told how far recovery is, whenever that changes, on the journal's thread.
    func onChange(_ publish: @escaping @Sendable (RecoveryStanding) -> Void) {
        recoveries.withLock { $0.publish = publish }
    }

    private func publishRecoveries() {
        let (standing, publish) = recoveries.withLock { recoveries in
            defer { recoveries.isChanged = false }
            return recoveries.isChanged ? (recoveries.standing, recoveries.publish) : (nil, nil)
        }
        if let standing { publish?(standing) }
    }

    /// Says of which partitions it is not known yet what a crash left there, and what to do.
    func logReport() {
        let recoveries = recoveries.withLock { $0 }
        for (partition, reason) in recoveries.stopped.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            noteStop(of: partition, reason)
        }
        let waiting = recoveries.underWay.subtracting(recoveries.stopped.keys)
        if waiting.isEmpty { return }
        let names = waiting.map { "\($0)" }.sorted().prefix(10).joined(separator: ", ")
        logger.warning(
            "it is not known yet what a crash left in some partitions: their leaders are asked",
            metadata: [
                "event": "recovery.pending", "count": "\(waiting.count)",
                "partitions": "\(names)",
            ]
        )
    }
}
