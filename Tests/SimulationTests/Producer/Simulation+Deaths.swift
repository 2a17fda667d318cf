import KafkaProtocol
import NIOCore

@testable import Kafka

/// The producer's process dies, and another one recovers from what is written down.
extension Simulation {
    func planDeaths() {
        guard self.scenario.shape.dies else { return }
        for _ in 0..<Int.random(in: 1...3, using: &self.random) {
            let length = Int(self.scenario.faultsLast / .milliseconds(1))
            self.add(.processDies, at: self.now + self.milliseconds(0...length))
        }
    }

    func processDies() {
        guard self.finishedAt == nil else { return }
        self.note("the process dies")
        self.count.deaths += 1
        self.clientDies()
        self.batchJournal.die(isCommitted: self.onceIn(2))
        self.startProcess()
    }

    private func startProcess() {
        self.incarnation += 1
        self.isDraining = false
        self.recovering = []
        self.pool = BufferPool(configuration: self.scenario.configuration)
        do {
            self.producer = try ProducerStateMachine(
                configuration: self.scenario.configuration,
                seed: self.random.next()
            )
            self.producer.setClock(milliseconds: self.wallClock, now: self.now)
        } catch {
            return self.fail("\(error)")
        }
        let owed = self.batchJournal.owedNames
        for lane in self.lanes {
            lane.restart(
                configuration: self.scenario.configuration,
                pool: self.pool,
                seed: self.random.next(),
                journaled: owed
            )
            self.add(.lane(lane.number), at: self.now)
        }
        self.recoverPartitions()
    }

    private func recoverPartitions() {
        let recoveries = self.batchJournal.recoveries
        self.recovering = Set(recoveries.map(\.id))
        self.producer.recover(
            recoveries,
            clusterID: nil,
            wallClock: self.wallClock,
            now: self.now
        )
        for row in recoveries.flatMap(\.rows) {
            self.add(
                .remade(row: row.id, incarnation: self.incarnation),
                at: self.now + self.milliseconds(0...3000)
            )
        }
    }

    func remade(row: Int64, incarnation: Int) {
        guard incarnation == self.incarnation, let batch = self.batch(ofRow: row) else { return }
        batch.journalID = row
        self.producer.remade(batch, row: row, now: self.now)
    }

    /// The records of a row once more; of their values only the names count.
    private func batch(ofRow id: Int64) -> ProducerBatch? {
        guard let row = self.batchJournal.rows[id],
            let contents = self.batchJournal.contents[id]
        else { return nil }
        var builder = RecordBatchBuilder(buffer: ByteBuffer())
        var positions = RecordPositions()
        for name in contents.names {
            Array("\(name.lane):\(name.position):x".utf8).withUnsafeBytes { value in
                _ = builder.append(key: nil, value: value, timestamp: contents.maxTimestamp)
            }
            positions.append(
                owner: UInt64(name.lane),
                position: Int64(name.position),
                routing: 1
            )
        }
        guard let sealed = try? builder.seal() else { return nil }
        return ProducerBatch(
            topic: row.partition.topic,
            topicIndex: TopicIndex(number: .max),
            partition: row.partition.partition,
            createdAt: self.now,
            sealed: sealed,
            positions: positions,
            pool: nil,
            charge: 0
        )
    }

    // MARK: What recovery tells

    func resolved(_ id: Int64, _ outcome: RecoveryOutcome) {
        self.note("row \(id) is \(outcome)")
        guard let row = self.batchJournal.rows[id],
            let contents = self.batchJournal.contents[id]
        else { return self.fail("row \(id) is \(outcome), and there is none") }
        // Its row stays until another has its records.
        guard case .appended(let baseOffset) = outcome else { return }
        self.batchJournal.settle(id, row, at: baseOffset)
        self.count.acknowledged += contents.names.count
        for (index, name) in contents.names.enumerated() {
            let isNew = self.lanes[name.lane].settle(
                name.position,
                .acknowledged(baseOffset: baseOffset ?? -1, timestamp: -1),
                partition: row.partition.partition,
                offset: baseOffset.map { $0 + Int64(index) } ?? -1
            )
            if !isNew { self.fail("record \(name.lane):\(name.position) was delivered twice") }
        }
    }

    /// What is missing goes on as new records, before what the lanes have yet to write.
    func recovered(_ id: TopicPartition, _ report: RecoveryReport) {
        self.note("\(id) is recovered: \(report)")
        self.count.resent += report.sentRecords
        self.count.found += report.foundRecords
        if report.possibleRepeats > 0 { self.fail("\(id) may repeat records: \(report)") }
        for row in self.batchJournal.rows(of: id) {
            guard let batch = self.batch(ofRow: row) else { continue }
            batch.replaces = row
            self.producer.submit([batch], now: self.now)
        }
        self.recovering.remove(id)
        guard self.recovering.isEmpty else { return }
        for lane in self.lanes { self.add(.lane(lane.number), at: self.now) }
    }
}
