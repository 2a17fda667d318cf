internal import Kafka
internal import PipelineLanguage

/// How far it is known what a crash left in Kafka, as a service tells those who look at it.
///
/// As lines it stands in the lock file of the state directory.
struct RecoveryStanding: Equatable, Sendable {
    struct Stop: Equatable, Sendable {
        var partition: TopicPartition
        /// Why nothing is sent there, and what to do.
        var reason: String
    }

    /// Who looks wants to know that it is many, and not each name.
    static let listLimit = 100

    /// Partitions of which something is still found out.
    var pendingCount = 0
    /// Empty if they are too many.
    var pending: [TopicPartition] = []
    /// Partitions to which nothing is sent.
    var stoppedCount = 0
    /// The first of them.
    var stopped: [Stop] = []
    /// What was found out since the start, of all partitions together.
    var report = RecoveryReport()

    init() {}

    init(
        pending: Set<TopicPartition>,
        stopped: [TopicPartition: String],
        report: RecoveryReport
    ) {
        pendingCount = pending.count
        stoppedCount = stopped.count
        if pending.count <= Self.listLimit { self.pending = pending.sorted { $0.isBefore($1) } }
        self.stopped = stopped.sorted { $0.key.isBefore($1.key) }.prefix(Self.listLimit)
            .map { Stop(partition: $0.key, reason: $0.value) }
        self.report = report
    }
}

// MARK: - Lines

extension RecoveryStanding {
    private static var names: [(name: String, count: WritableKeyPath<RecoveryReport, Int64>)] {
        [
            ("found", \.foundRecords), ("sent", \.sentRecords), ("absent", \.absentRecords),
            ("unjournaled", \.unjournaledRecords), ("lost", \.lostRecords),
            ("repeats", \.possibleRepeats),
        ]
    }

    /// A line each, of words.
    var lines: [String] {
        var lines = Self.names.map { name, count in "\(name) \(report[keyPath: count])" }
        lines.append("pending \(pendingCount)")
        lines.append("stopped \(stoppedCount)")
        lines += pending.map { "pending \($0.topic) \($0.partition)" }
        lines += stopped.map { stop in
            "stopped \(stop.partition.topic) \(stop.partition.partition) \(stop.reason.printable)"
        }
        return lines
    }

    /// Passes over what another version of Forktail may have written there.
    init(lines: [String]) {
        for line in lines {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if words.count == 2, let number = Int64(words[1]) {
                take(words[0], number)
            } else if words.count > 2, let number = Int32(words[2]) {
                let partition = TopicPartition(topic: words[1], partition: number)
                take(words[0], partition, reason: words.count > 3 ? words[3] : "")
            }
        }
    }

    private mutating func take(_ name: String, _ number: Int64) {
        switch name {
        case "pending": pendingCount = Int(clamping: number)
        case "stopped": stoppedCount = Int(clamping: number)
        default:
            guard let known = Self.names.first(where: { $0.name == name }) else { return }
            report[keyPath: known.count] = number
        }
    }

    private mutating func take(_ name: String, _ partition: TopicPartition, reason: String) {
        switch name {
        case "pending": pending.append(partition)
        case "stopped": stopped.append(Stop(partition: partition, reason: reason))
        default: break
        }
    }
}

// MARK: - What is shown

extension RecoveryStanding {
    /// How a service stands that runs, or does not.
    func status(isRunning: Bool) -> ExitStatus {
        guard isRunning, stoppedCount == 0 else { return .stopped }
        return pendingCount > 0 ? .degraded : .success
    }

    /// A name and a value for each line of a report.
    var entries: [(name: String, value: String)] {
        var entries: [(name: String, value: String)] = []
        let report = report
        if report.foundRecords + report.sentRecords + report.absentRecords > 0 {
            let text =
                "\(report.foundRecords) records were in Kafka, \(report.sentRecords) were sent"
                + " again under their numbers, \(report.absentRecords) as new ones"
            entries.append(("recovered", text))
        }
        let rest: [(Int64, String)] = [
            (report.unjournaledRecords, "in Kafka, which the journal had lost"),
            (report.lostRecords, "lost by Kafka, which had acknowledged them"),
            (report.possibleRepeats, "sent again that may have been in Kafka"),
        ]
        entries += rest.filter { $0.0 > 0 }.map { ("recovered", "\($0.0) records \($0.1)") }
        if pendingCount > 0 {
            let names = pending.prefix(10).map { "\($0)" }.joined(separator: ", ")
            let more = names.isEmpty ? "" : ": " + names + (pendingCount > 10 ? ", …" : "")
            let text = "in \(pendingCount) partitions, whose leaders are asked\(more)"
            entries.append(("being found out", text))
        }
        entries += stopped.map { ("stopped", "\($0.partition): \($0.reason)") }
        if stoppedCount > stopped.count {
            entries.append(("stopped", "\(stoppedCount - stopped.count) more partitions"))
        }
        return entries
    }

    /// An object.
    var json: String {
        let counts = [
            ("found_records", report.foundRecords), ("sent_records", report.sentRecords),
            ("absent_records", report.absentRecords),
            ("unjournaled_records", report.unjournaledRecords),
            ("lost_records", report.lostRecords), ("possible_repeats", report.possibleRepeats),
            ("pending", Int64(pendingCount)), ("stopped", Int64(stoppedCount)),
        ]
        var fields = counts.map { "\"\($0.0)\":\($0.1)" }
        let waiting = pending.map { "{" + $0.fields + "}" }.joined(separator: ",")
        fields.append("\"pending_partitions\":[\(waiting)]")
        let ended = stopped.map { stop in
            "{\(stop.partition.fields),\"cause\":\(quotedAsJSON(stop.reason))}"
        }
        fields.append("\"stopped_partitions\":[\(ended.joined(separator: ","))]")
        return "{" + fields.joined(separator: ",") + "}"
    }
}

extension TopicPartition {
    fileprivate var fields: String {
        "\"topic\":\(quotedAsJSON(topic)),\"partition\":\(partition)"
    }

    fileprivate func isBefore(_ other: Self) -> Bool {
        (topic, partition) < (other.topic, other.partition)
    }
}
