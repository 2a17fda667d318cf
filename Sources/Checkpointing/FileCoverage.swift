/// Which records of a file beyond its checkpoint are in journaled batches.
///
/// A checkpoint waits for the slowest partition, so after a crash much of what lies beyond it is
/// delivered already. Reading goes on at the checkpoint all the same; this tells of each record
/// that is made again whether it is delivered, is owed to a batch whose numbers it must keep, or is
/// new.
///
///     var coverage = FileCoverage(file: 7, generation: 0, checkpoint: checkpoint, batches: batches)
///     coverage?.verdict(topic: "orders", place: place, isAnswer: false) { count in hash % count }
///
/// It is to be kept until the file's checkpoint has reached ``end``.
package struct FileCoverage: Sendable {
    package enum Verdict: Equatable, Sendable {
        /// No journaled batch holds it.
        case new
        /// It is in the log.
        case delivered
        /// It belongs to a batch whose fate is not known yet, or that must be sent again.
        case owed(batch: Int64)
    }

    /// A stretch whose records came out otherwise than when they were sent.
    package struct Mismatch: Equatable, Sendable {
        package var batch: Int64
        package var topic: String
        package var partition: Int32
        package var stretch: Stretch
        /// How many records came out now; ``Stretch/count`` says how many there were.
        package var found: Int32
    }

    /// Lines that are processed by the text they were processed by before.
    package struct Zone: Equatable, Sendable {
        /// The last line's last possible place.
        package var through: RecordPlace
        package var pipelineVersion: Int64
    }

    private struct Batch: Sendable {
        let id: Int64
        let topic: String
        let partition: Int32
        var fate: Fate
    }

    private enum Fate: Sendable {
        case delivered, owed, forgotten
    }

    private struct Member: Sendable {
        let batch: Int
        let stretch: Stretch
        /// Whether none of it lies before the checkpoint, so that its records can be counted.
        let isWhole: Bool
        var found: Int32 = 0
    }

    private var batches: [Batch] = []
    private var indices: [Int64: Int] = [:]
    /// By the place where they end.
    private var members: [Member] = []
    /// Members before it were read past.
    private var firstUnread = 0
    private var topics: [String: TopicCoverage] = [:]

    /// Everything from here on is new.
    package private(set) var end = RecordPlace(offset: 0)
    /// In the order of places; beyond the last one, lines are processed by the text of today.
    package private(set) var zones: [Zone] = []

    /// Nil if nothing lies beyond the checkpoint.
    package init?(
        file: Int64,
        generation: Int64,
        checkpoint: Checkpoint,
        batches rows: [JournaledBatch]
    ) {
        for row in rows.sorted(by: { $0.id < $1.id }) {
            let beyond = row.stretches.filter {
                $0.file == file && $0.generation == generation
                    && $0.through.offset >= checkpoint.offset
            }
            if !beyond.isEmpty { add(beyond, of: row, checkpoint: checkpoint) }
        }
        guard let last = members.map(\.stretch.through).max() else { return nil }
        end = RecordPlace(position: last.position + 1)
        members.sort { $0.stretch.through < $1.stretch.through }
        coverTopics()
        makeZones()
    }

    /// Tells what is to become of a record that was made again.
    ///
    /// Records that are no answers are asked for once each, in the order of their places.
    ///
    /// - Parameter partition: where the record would go if the topic had so many partitions; nil
    ///   for one without key and explicit partition.
    package mutating func verdict(
        topic: String,
        place: RecordPlace,
        isAnswer: Bool,
        partition: (Int32) -> Int32?
    ) -> Verdict {
        guard
            let member = topics[topic]?.member(
                at: place.position,
                isAnswer: isAnswer,
                partition: partition
            )
        else { return .new }
        let batch = batches[members[member].batch]
        members[member].found += 1
        switch batch.fate {
        case .delivered: return .delivered
        case .owed: return .owed(batch: batch.id)
        case .forgotten: return .new
        }
    }

    /// Whether a dead letter was sent in the place of a record, to whichever topic.
    package func hasAnswer(at place: RecordPlace) -> Bool {
        topics.values.contains { topic in
            guard
                let member = topic.member(
                    at: place.position,
                    isAnswer: true,
                    partition: { _ in nil }
                )
            else { return false }
            if case .forgotten = batches[members[member].batch].fate { return false }
            return true
        }
    }

    /// Tells that all records before `place` were asked for.
    ///
    /// - Returns: the stretches that ended since with fewer or more records than they had.
    package mutating func passed(_ place: RecordPlace) -> [Mismatch] {
        var mismatches: [Mismatch] = []
        while firstUnread < members.count, members[firstUnread].stretch.through < place {
            if let mismatch = mismatch(of: members[firstUnread]) { mismatches.append(mismatch) }
            firstUnread += 1
        }
        return mismatches
    }

    /// Tells that a batch is in the log.
    package mutating func settle(batch id: Int64) {
        guard let index = indices[id] else { return }
        batches[index].fate = .delivered
    }

    /// Tells that a batch is not in the log and will never be sent: its records are new.
    package mutating func forget(batch id: Int64) {
        guard let index = indices[id] else { return }
        batches[index].fate = .forgotten
    }

    /// Which text makes the records of the line at `offset`; nil for the text of today.
    package func pipelineVersion(at offset: Int64) -> Int64? {
        zones.first { offset <= $0.through.offset }?.pipelineVersion
    }

    private mutating func add(
        _ stretches: [Stretch],
        of row: JournaledBatch,
        checkpoint: Checkpoint
    ) {
        let fate: Fate = row.isSettled ? .delivered : .owed
        indices[row.id] = batches.count
        for stretch in stretches {
            let isWhole = stretch.from.offset >= checkpoint.offset
            members.append(Member(batch: batches.count, stretch: stretch, isWhole: isWhole))
        }
        batches.append(
            Batch(id: row.id, topic: row.topic, partition: row.partition, fate: fate)
        )
    }

    // Oldest batches first: should two claim a record, it was passed over when the younger was made.
    private mutating func coverTopics() {
        for index in members.indices.sorted(by: { members[$0].batch < members[$1].batch }) {
            let batch = batches[members[index].batch]
            topics[batch.topic, default: TopicCoverage()].add(
                members[index].stretch,
                partition: batch.partition,
                member: TopicCoverage.Member(index: index, age: members[index].batch)
            )
        }
    }

    private mutating func makeZones() {
        for member in members {
            let version = member.stretch.pipelineVersion
            if zones.last?.pipelineVersion == version { zones.removeLast() }
            let through = RecordPlace(
                offset: member.stretch.through.offset,
                send: RecordPlace.sendLimit - 1
            )
            zones.append(Zone(through: through, pipelineVersion: version))
        }
    }

    private func mismatch(of member: Member) -> Mismatch? {
        let batch = batches[member.batch]
        // An answer comes whenever Kafka refuses its record again.
        if member.stretch.routing == .answer { return nil }
        if case .forgotten = batch.fate { return nil }
        let isRight =
            member.isWhole
            ? member.found == member.stretch.count : member.found <= member.stretch.count
        if isRight { return nil }
        return Mismatch(
            batch: batch.id,
            topic: batch.topic,
            partition: batch.partition,
            stretch: member.stretch,
            found: member.found
        )
    }
}
