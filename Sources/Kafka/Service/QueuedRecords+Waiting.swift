internal import NIOCore

// Records whose topic is not known yet, or that found no memory, wait by topic, so that one topic
// does not hold up another. Who waits for memory is served in the order of coming, whatever the
// topic, and nobody who comes later gets in between.

extension QueuedRecords {
    /// Lets a record wait for metadata or memory, within the limit.
    mutating func wait(
        _ waiting: Waiting,
        _ topic: Int,
        mayWait: Bool,
        _ work: inout Work
    ) {
        let isOver =
            self.waitingBytes > 0
            && self.waitingBytes + waiting.size > self.configuration.bufferMemory
        if isOver && !mayWait {
            self.pool.refused(now: .now)
            return self.fail(waiting.waiter, waiting.id, .bufferExhausted, &work)
        }
        self.topics[topic].waiting.append(waiting)
        self.waitingBytes += waiting.size
    }

    /// Appends what waits, the oldest first, as far as memory and word of the topics go.
    mutating func appendWaiting(_ work: inout Work) {
        self.isMemorySpent = false
        guard self.waitingBytes > 0 else { return }
        var unknown: Set<Int> = []
        while !self.isMemorySpent {
            // The topic of the oldest record goes on until another topic's is older.
            var oldest: (topic: Int, id: Int64)?
            var next = Int64.max
            for topic in self.topics.indices where !unknown.contains(topic) {
                guard let id = self.topics[topic].waiting.first?.id else { continue }
                if id < oldest?.id ?? .max {
                    next = oldest?.id ?? .max
                    oldest = (topic, id)
                } else {
                    next = min(next, id)
                }
            }
            guard let topic = oldest?.topic else { return }
            if !self.appendWaiting(topic, before: next, &work) { unknown.insert(topic) }
        }
    }

    /// Appends what waits for a topic, up to a record that came later; false where its partitions are
    /// not known.
    private mutating func appendWaiting(
        _ topic: Int,
        before end: Int64,
        _ work: inout Work
    ) -> Bool {
        while let head = self.topics[topic].waiting.first, head.id < end {
            let index = self.topics[topic].index
            switch self.place(head.record, index, head.timestamp, head.waiter, head.id) {
            case .appended:
                self.removeHead(of: topic)
                let isFlushed = self.flushes.last.map { head.id <= $0.lastID } ?? false
                if isFlushed { self.mustFlush = true }
            case .needsMetadata:
                if self.topics[topic].waiting.count == 1 {
                    work.topics.append(self.topics[topic].name)
                }
                return false
            case .needsMemory:
                self.isMemorySpent = true
                return true
            case .failed(let error):
                self.removeHead(of: topic)
                self.fail(head.waiter, head.id, error, &work)
            }
        }
        return true
    }

    /// Takes records back that still wait.
    mutating func withdraw(_ ticket: RecordQueue.Ticket, _ work: inout Work) {
        guard self.waitingBytes > 0 else { return }
        for topic in self.topics.indices {
            let withdrawn = self.topics[topic].waiting.filter { $0.ticket === ticket }
            guard !withdrawn.isEmpty else { continue }
            self.topics[topic].waiting.removeAll { $0.ticket === ticket }
            for waiting in withdrawn {
                self.waitingBytes -= waiting.size
                self.fail(waiting.waiter, waiting.id, .cancelled, &work)
            }
        }
    }

    /// Fails what has waited for longer than `max.block.ms`.
    mutating func expire(_ work: inout Work) {
        guard self.configuration.maxBlock != nil else { return }
        let now = ContinuousClock.now
        for topic in self.topics.indices {
            while let head = self.topics[topic].waiting.first, let deadline = head.deadline,
                deadline <= now
            {
                self.removeHead(of: topic)
                self.pool.refused(now: now)
                self.fail(head.waiter, head.id, .blockedTooLong, &work)
            }
        }
    }

    /// When ``expire(_:)`` has something to do.
    var nextExpiry: ContinuousClock.Instant? {
        guard self.configuration.maxBlock != nil else { return nil }
        return self.topics.compactMap { $0.waiting.first?.deadline }.min()
    }

    mutating func failWaiting(_ error: KafkaProducerError, _ work: inout Work) {
        for topic in self.topics.indices {
            while let head = self.topics[topic].waiting.first {
                self.removeHead(of: topic)
                self.fail(head.waiter, head.id, error, &work)
            }
        }
    }

    private mutating func removeHead(of topic: Int) {
        guard let head = self.topics[topic].waiting.popFirst() else { return }
        self.waitingBytes -= head.size
    }
}
