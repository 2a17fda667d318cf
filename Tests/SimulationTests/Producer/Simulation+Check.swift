import KafkaDevBroker
import KafkaProtocol

@testable import Kafka

extension Simulation {
    private struct Place: Hashable {
        var partition: TopicPartition
        var offset: Int64
    }

    /// A record as the log names it.
    struct Name: Hashable {
        var lane: Int
        var position: Int
    }

    /// What must hold when nothing is left to happen.
    func check() {
        self.checkMachines()
        self.count.faults = self.faultCounts
        var found: [Name: [Place]] = [:]
        do {
            found = try self.readLog()
        } catch {
            self.fail("the log does not read: \(error)")
        }
        for lane in self.lanes {
            for position in lane.entries.indices {
                let name = Name(lane: lane.number, position: position)
                self.check(name, lane.entries[position], in: found[name] ?? [])
            }
        }
        self.count.possibleDuplicates = self.producer.statistics.possibleDuplicates
        self.count.batchesRetried = self.producer.statistics.batchesRetried
        self.count.batchesSplit = self.producer.statistics.batchesSplit
        self.count.simulated = (self.finishedAt ?? self.now) - self.beginning
        self.checkDuplicates()
    }

    private func checkMachines() {
        self.count.writes = self.batchJournal.writeCount
        if self.scenario.shape.isJournaled, self.count.acknowledged > 0, self.count.writes == 0 {
            self.fail("nothing was written down")
        }
        self.count.records = self.lanes.reduce(0) { $0 + $1.entries.count }
        if !self.lanes.allSatisfy(\.hasSubmittedAll) {
            let waiting = self.lanes.filter { !$0.hasSubmittedAll }.map(\.number)
            self.fail("lanes \(waiting) wait, and nothing will ever happen")
        }
        if self.finishedAt == nil { self.fail("the producer waits, and nothing will ever happen") }
        let statistics = self.producer.statistics
        if statistics.batchesQueued != 0 || statistics.requestsInFlight != 0 {
            self.fail("left over: \(statistics)")
        }
        if self.pool.availableBytes != self.pool.memory {
            self.fail("\(self.pool.memory - self.pool.availableBytes) bytes were not given back")
        }
    }

    /// Where each record is; they must be in order, but for those that come once more.
    private func readLog() throws -> [Name: [Place]] {
        var found: [Name: [Place]] = [:]
        for (topic, count) in self.broker.topicPartitionCounts.sorted(by: { $0.key < $1.key }) {
            for number in 0..<Int32(count) {
                let partition = TopicPartition(topic: topic, partition: number)
                var last: [Int: Int] = [:]
                for record in try self.broker.records(topic: topic, partition: number) {
                    guard let name = Self.name(of: record) else {
                        self.fail("\(partition) has a record that nobody wrote")
                        continue
                    }
                    let isFirst = found[name] == nil
                    found[name, default: []].append(
                        Place(partition: partition, offset: record.offset)
                    )
                    guard isFirst else { continue }
                    if let before = last[name.lane], before > name.position {
                        self.misplaced(name, before, in: partition)
                    }
                    last[name.lane] = name.position
                }
            }
        }
        return found
    }

    private func misplaced(_ name: Name, _ before: Int, in partition: TopicPartition) {
        // Without idempotence five requests in flight may change places, as Kafka says; and what
        // failed may be in the log wherever it likes.
        let isKept = self.scenario.configuration.isIdempotenceEnabled
        let result = self.lanes[name.lane].entries[name.position].result
        guard isKept, case .acknowledged? = result else { return }
        let other = self.lanes[name.lane].entries[before].result
        guard case .acknowledged? = other else { return }
        // After a death a record without key or partition may go to another partition.
        let entries = self.lanes[name.lane].entries
        let arePlaced =
            entries[name.position].draft.isPlaced && entries[before].draft.isPlaced
        guard arePlaced || !self.scenario.shape.dies else { return }
        self.fail("\(partition): \(name.lane):\(name.position) comes after \(before)")
    }

    static func name(of record: Record) -> Name? {
        let text = String(decoding: record.value ?? [], as: UTF8.self)
        let parts = text.split(separator: ":")
        guard parts.count == 3, let lane = Int(parts[0]), let position = Int(parts[1]) else {
            return nil
        }
        return Name(lane: lane, position: position)
    }

    private func check(_ name: Name, _ entry: SimulatedLane.Entry, in places: [Place]) {
        let record = "record \(name.lane):\(name.position)"
        guard let result = entry.result else { return self.fail("nothing is said of \(record)") }
        switch result {
        case .acknowledged:
            if places.isEmpty { return self.fail("\(record) is acknowledged and lost") }
            if entry.isPoison { self.fail("\(record) should have been refused") }
            let partition = TopicPartition(topic: entry.topic, partition: entry.partition)
            let told = Place(partition: partition, offset: entry.offset)
            if entry.offset >= 0, !places.contains(told) {
                self.fail("\(record) is not at \(told), but at \(places)")
            }
            self.count.duplicates += places.count - 1
        case .failed(let error):
            let isExpected = entry.isPoison || self.scenario.configuration.deliveryTimeout != nil
            if !isExpected { self.fail("\(record) failed: \(error)") }
            if entry.isPoison, !places.isEmpty { self.fail("\(record) is in the log") }
        }
    }

    private func checkDuplicates() {
        guard self.scenario.configuration.isIdempotenceEnabled else { return }
        if self.count.duplicates > self.count.possibleDuplicates {
            self.fail(
                "\(self.count.duplicates) records come twice,"
                    + " \(self.count.possibleDuplicates) were counted"
            )
        }
        self.checkPossibleDuplicates()
    }

    /// What the leader does not tell is read in the log, so nothing need be guessed.
    func checkPossibleDuplicates() {
        guard !self.scenario.shape.hasDeliveryTimeout else { return }
        let count = self.producer.statistics.possibleDuplicates
        if count > 0 { self.fail("\(count) records may come twice") }
    }
}
