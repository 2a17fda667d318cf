package import Kafka

/// Holds the records that a file makes against those of it that are in the topics.
///
/// Told each record in the order of the file, it finds the runs that the record is in: none, and it
/// is missing; more than one, and it is repeated. It keeps the runs alone, whatever the file's size.
package struct FileAudit {
    /// A record that the pipeline makes of the file.
    package struct Expected: Equatable, Sendable {
        package var position: LinePosition
        package var topic: String
        package var hasKey: Bool
        /// Where its key or the pipeline puts it; nil where the producer chose.
        package var partition: Int32?

        package init(
            position: LinePosition,
            topic: String,
            hasKey: Bool,
            partition: Int32?
        ) {
            self.position = position
            self.topic = topic
            self.hasKey = hasKey
            self.partition = partition
        }
    }

    /// What was found of one topic.
    package struct Findings: Equatable, Sendable {
        package var expected: Int64 = 0
        package var missing: Int64 = 0
        package var repeated: Int64 = 0
        /// Records of runs that are longer than what the file makes, or begin where it makes none.
        package var unexpected: Int64 = 0
        /// Missing records from before what the topic still holds, or from before what was read.
        package var tooOld: Int64 = 0
        /// Records from before the first of the file that is in any topic, where reading may have begun.
        package var unread: Int64 = 0
        package var firstMissing: LinePosition?
        package var firstRepeated: LinePosition?
        package var firstUnexpected: LinePosition?
        /// The topic had another number of partitions, or was partitioned by other rules: nothing
        /// of the above can be said.
        package var isUnsettled = false
    }

    fileprivate struct OpenRun {
        var run: PositionAudit.Run
        var keyed: Int32
        var keyless: Int32
    }

    fileprivate struct Topic {
        var runs: [PositionAudit.Run]
        var next = 0
        var open: [OpenRun] = []
        /// Before these nothing can be called missing.
        var firstStarts: [Int32: LinePosition] = [:]
        var cutPartitions: Set<Int32> = []
        var findings = Findings()
    }

    private var topics: [String: Topic] = [:]
    /// Lines of which Kafka refused a record: a dead letter stands for it.
    private var answered: Set<Int64> = []
    private let end: LinePosition
    /// Nil where the file was read from its start.
    private let firstStart: LinePosition?

    /// - Parameter runs: by topic, in the order of the file.
    /// - Parameter cut: partitions whose first records are gone, or were not read.
    /// - Parameter end: up to there everything must be in the topics.
    /// - Parameter mayBeginLate: whether the file may have been read from another place than its
    ///   start on; then nothing is said of what is before the first record that is there.
    package init(
        runs: [String: [PositionAudit.Run]],
        cut: Set<TopicPartition>,
        end: LinePosition,
        mayBeginLate: Bool = false
    ) {
        self.end = end
        let first = runs.values.compactMap { $0.first?.start }.min()
        self.firstStart = mayBeginLate ? min(first ?? end, end) : nil
        for (name, runs) in runs {
            for run in runs where run.isAnswer { self.answered.insert(run.start.offset) }
            let runs = runs.filter { !$0.isAnswer }
            var topic = Topic(runs: runs)
            for run in runs where topic.firstStarts[run.partition] == nil {
                topic.firstStarts[run.partition] = run.start
            }
            topic.cutPartitions = Set(cut.filter { $0.topic == name }.map(\.partition))
            self.topics[name] = topic
        }
        for id in cut where self.topics[id.topic] == nil {
            self.topics[id.topic] = Topic(runs: [], cutPartitions: [id.partition])
        }
    }

    /// Tells the next record that the file makes.
    package mutating func expect(_ record: Expected) {
        guard record.position < self.end else { return }
        if let firstStart = self.firstStart, record.position < firstStart {
            self.topics[record.topic, default: Topic(runs: [])].findings.unread += 1
            return
        }
        let isAnswered = self.answered.contains(record.position.offset)
        self.topics[record.topic, default: Topic(runs: [])].expect(record, isAnswered: isAnswered)
    }

    /// What was found, by topic, now that all records up to the end are told.
    package consuming func finish() -> [String: Findings] {
        let end = self.end
        return self.topics.mapValues { topic in
            var topic = topic
            return topic.finish(before: end)
        }
    }
}

extension FileAudit.Topic {
    fileprivate mutating func expect(_ record: FileAudit.Expected, isAnswered: Bool) {
        self.findings.expected += 1
        self.openRuns(upTo: record)
        var found = 0
        for index in self.open.indices where self.open[index].takes(record) {
            self.open[index].take(record)
            found += 1
        }
        self.open.removeAll { $0.keyed <= 0 && $0.keyless <= 0 }
        if found == 0, !isAnswered { self.miss(record) }
        guard found > 1 else { return }
        self.findings.repeated += Int64(found - 1)
        self.findings.firstRepeated = self.findings.firstRepeated ?? record.position
    }

    /// A run that begins with this record says where the record went.
    private mutating func openRuns(upTo record: FileAudit.Expected) {
        while self.next < self.runs.count, self.runs[self.next].start <= record.position {
            let run = self.runs[self.next]
            self.next += 1
            let isElsewhere = record.partition.map { $0 != run.partition } ?? false
            if run.start == record.position, isElsewhere { self.findings.isUnsettled = true }
            if run.start < record.position {
                self.doubt(run.start, run.count)
            } else {
                self.open.append(
                    FileAudit.OpenRun(run: run, keyed: run.keyed, keyless: run.keyless)
                )
            }
        }
    }

    private mutating func miss(_ record: FileAudit.Expected) {
        let isOld: Bool
        if let partition = record.partition {
            let first = self.firstStarts[partition]
            isOld =
                self.cutPartitions.contains(partition)
                && (first.map { record.position < $0 } ?? true)
        } else {
            // It may have been in any of them.
            isOld = self.cutPartitions.contains { partition in
                self.firstStarts[partition].map { record.position < $0 } ?? true
            }
        }
        if isOld {
            self.findings.tooOld += 1
        } else {
            self.findings.missing += 1
            self.findings.firstMissing = self.findings.firstMissing ?? record.position
        }
    }

    private mutating func doubt(_ position: LinePosition, _ count: Int64) {
        self.findings.unexpected += count
        self.findings.firstUnexpected = self.findings.firstUnexpected ?? position
    }

    fileprivate mutating func finish(before end: LinePosition) -> FileAudit.Findings {
        while self.next < self.runs.count, self.runs[self.next].start < end {
            self.doubt(self.runs[self.next].start, self.runs[self.next].count)
            self.next += 1
        }
        return self.findings
    }
}

extension FileAudit.OpenRun {
    fileprivate func takes(_ record: FileAudit.Expected) -> Bool {
        guard record.partition.map({ $0 == self.run.partition }) ?? true else { return false }
        return record.hasKey ? self.keyed > 0 : self.keyless > 0
    }

    fileprivate mutating func take(_ record: FileAudit.Expected) {
        if record.hasKey { self.keyed -= 1 } else { self.keyless -= 1 }
    }
}
