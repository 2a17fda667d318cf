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
    private var counted: [String: CountedStretches] = [:]

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
        if members.isEmpty, counted.isEmpty { return nil }
        members.sort { $0.stretch.through < $1.stretch.through }
        for topic in counted.keys { counted[topic]?.sort() }
        coverTopics()
        findEnd()
    }

    /// Whether it is not known yet where some stretch ends.
    package var isOpen: Bool { counted.values.contains { !$0.isComplete } }

    /// What stretches turned out to be of which only the number of records was known, by their batches.
    package var completed: [(batch: Int64, stretch: Stretch, parts: [Stretch])] {
        counted.values.flatMap(\.members).map {
            (batches[$0.batch].id, $0.stretch, $0.completed)
        }
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
        let member = topics[topic]?.member(
            at: place.position,
            isAnswer: isAnswer,
            partition: partition
        )
        if let member {
            members[member].found += 1
            let verdict = verdict(of: members[member].batch)
            // It may have been split, and the pieces be in the log.
            if verdict != .new { return verdict }
        }
        guard !isAnswer, !counted.isEmpty,
            let batch = counted[topic]?.batch(at: place, partition: partition)
        else { return .new }
        if !isOpen { findEnd() }
        return verdict(of: batch)
    }

    private func verdict(of batch: Int) -> Verdict {
        switch batches[batch].fate {
        case .delivered: .delivered
        case .owed: .owed(batch: batches[batch].id)
        case .forgotten: .new
        }
    }

    /// For each partition of a topic, the last record there that has no key.
    ///
    /// One that is new and comes before it in the file must go elsewhere: to where it was, for
    /// there nothing came behind it.
    package func lastKeyless(of topic: String) -> [Int32: RecordPlace] {
        topics[topic]?.lastSticky ?? [:]
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

    /// Tells of a record in whose place a dead letter was sent.
    ///
    /// A batch that is owed and had it was refused, and the rows of what is left of it may have come
    /// later than that of the dead letter. It has the record all the same, and cannot be made again.
    package mutating func answered(
        topic: String,
        place: RecordPlace,
        partition: (Int32) -> Int32?
    ) {
        let member = topics[topic]?.member(
            at: place.position,
            isAnswer: false,
            partition: partition
        )
        guard let member, case .owed = batches[members[member].batch].fate else { return }
        members[member].found += 1
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
        return counted.isEmpty ? mismatches : mismatches + passedCounted(place)
    }

    private mutating func passedCounted(_ place: RecordPlace) -> [Mismatch] {
        let wasOpen = isOpen
        var mismatches: [Mismatch] = []
        for topic in counted.keys.sorted() {
            for member in counted[topic]?.passed(place) ?? [] {
                let mismatch = Mismatch(
                    batch: batches[member.batch].id,
                    topic: topic,
                    partition: member.partition,
                    stretch: member.stretch,
                    found: member.found
                )
                mismatches.append(mismatch)
            }
        }
        if wasOpen, !isOpen { findEnd() }
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
            if let member = CountedStretches.Member(
                stretch,
                partition: row.partition,
                batch: batches.count
            ) {
                counted[row.topic, default: CountedStretches()].add(member)
                continue
            }
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

    /// Finds out how far stretches reach, as far as that is known.
    private mutating func findEnd() {
        var ends = members.map { ($0.stretch.through, $0.stretch.pipelineVersion) }
        for member in counted.values.flatMap(\.members) {
            let last = member.isComplete ? member.last : member.stretch.through
            ends.append((last, member.stretch.pipelineVersion))
        }
        ends.sort { $0.0 < $1.0 }
        end = RecordPlace(position: (ends.last?.0.position ?? -1) + 1)
        zones = []
        for (last, version) in ends {
            if zones.last?.pipelineVersion == version { zones.removeLast() }
            let through = RecordPlace(offset: last.offset, send: RecordPlace.sendLimit - 1)
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
