import KafkaDevBroker
import KafkaProtocol

@testable import Kafka

extension Simulation {
    /// Lets a lane write a few records and hand over the batches that are ready.
    func write(_ lane: SimulatedLane) {
        guard self.recovering.isEmpty else { return }
        if lane.draft != nil || lane.nextBurst <= self.now { self.writeBurst(lane) }
        if !lane.hasRecords, lane.draft == nil { lane.accumulator.flush() }
        while let batch = lane.accumulator.nextReady(now: self.now) {
            self.note("lane \(lane.number) submits \(batch.name)")
            self.producer.submit([batch], now: self.now)
        }
        // Memory or metadata calls the lane that waits for it.
        let burst = lane.hasRecords && lane.draft == nil ? lane.nextBurst : nil
        let due = [burst, lane.accumulator.nextDeadline].compactMap(\.self).min()
        guard let due, lane.timerDue.map({ due < $0 }) ?? true else { return }
        lane.timerDue = due
        self.add(.lane(lane.number), at: due)
    }

    private func writeBurst(_ lane: SimulatedLane) {
        for _ in 0..<Int.random(in: 1...self.scenario.burst, using: &self.random) {
            guard lane.draft != nil || lane.hasRecords else { break }
            let draft = lane.draft ?? lane.takeLost(now: self.now) ?? self.newDraft(of: lane)
            switch lane.append(draft, now: self.now) {
            case .appended:
                lane.draft = nil
                self.noteWait(since: draft.madeAt, of: "a record of \(draft.topic)")
            case .full:
                lane.draft = draft
                return
            case .unknown(let topic):
                if lane.draft == nil {
                    self.producer.requestMetadata(topics: [topic], now: self.now)
                }
                lane.draft = draft
                return
            }
        }
        lane.nextBurst =
            self.now + self.scenario.pause * Int.random(in: 50...150, using: &self.random) / 100
    }

    private func newDraft(of lane: SimulatedLane) -> SimulatedLane.Draft {
        lane.rest -= 1
        return self.draft()
    }

    private func draft() -> SimulatedLane.Draft {
        let topic =
            self.scenario.topics.randomElement(using: &self.random) ?? self.scenario.topics[0]
        let padding = String(repeating: "x", count: .random(in: 20...150, using: &self.random))
        let isPoison = topic.isCompacted && self.onceIn(15)
        let hasKey = topic.isCompacted ? !isPoison : self.onceIn(2)
        var partition: Int32?
        if let count = self.partitionCounts[topic.name], count > 0, self.onceIn(3) {
            partition = .random(in: 0..<count, using: &self.random)
        }
        return SimulatedLane.Draft(
            topic: topic.name,
            madeAt: self.now,
            partition: partition,
            key: hasKey ? "key\(Int.random(in: 0..<8, using: &self.random))" : nil,
            value: padding,
            isPoison: isPoison
        )
    }

    func publish(_ topic: TopicMetadata) {
        self.note("\(topic.name) has leaders \(topic.partitions.map(\.leaderID))")
        if !topic.partitions.isEmpty {
            self.partitionCounts[topic.name] = Int32(topic.partitions.count)
        }
        for lane in self.lanes {
            lane.accumulator.update(metadata: topic)
            if lane.draft != nil { self.add(.lane(lane.number), at: self.now) }
        }
    }

    /// Takes a receipt.
    func settle(_ delivery: Delivery) {
        let batch = delivery.batch
        self.note("\(batch.name) is \(delivery.result)")
        var baseOffset: Int64 = -1
        switch delivery.result {
        case .acknowledged(let offset, _):
            baseOffset = offset
            self.count.acknowledged += batch.recordCount
            self.checkAcknowledged(batch, at: offset)
        case .failed: self.count.failed += batch.recordCount
        }
        let lane = self.lanes[Int(batch.run(ofRecord: 0).owner)]
        for index in 0..<batch.recordCount {
            let position = Int(batch.position(ofRecord: index))
            let isNew = lane.settle(
                position,
                delivery.result,
                partition: batch.partition,
                offset: baseOffset < 0 ? -1 : baseOffset + Int64(index)
            )
            if !isNew { self.fail("record \(lane.number):\(position) was delivered twice") }
        }
        lane.accumulator.settled(batch)
        batch.release()
        self.noteWait(since: batch.createdAt, of: batch.name)
    }

    private func checkAcknowledged(_ batch: ProducerBatch, at offset: Int64) {
        guard self.scenario.configuration.acknowledgements != .none else { return }
        let end =
            self.broker.partitionLog(topic: batch.topic, partition: batch.partition)?.endOffset ?? 0
        // While the cluster is down its log is on the disk.
        guard self.isClusterUp else { return }
        if offset + Int64(batch.recordCount) > end {
            self.fail("\(batch.name) at \(offset) is beyond the log's end \(end)")
        }
    }
}
