internal import Kafka
internal import PipelineLanguage

/// What `forktail verify` found, and what it says of it.
package struct VerifyReport: Sendable {
    /// A file of the state directory, and what of it is in the topics.
    package struct File: Sendable {
        package var stream: FileStream
        /// Nil where the state directory is not at hand.
        package var path: String?
        package var records: Int64
        /// By topic; empty where the file was not read again.
        package var findings: [String: FileAudit.Findings] = [:]
        /// Why it was not.
        package var notChecked: String?

        package init(stream: FileStream, path: String?, records: Int64) {
            self.stream = stream
            self.path = path
            self.records = records
        }

        var name: String { self.path?.printable ?? "file \(self.stream)" }
    }

    /// The name of a cluster that is not the process's own.
    package var cluster: String?
    package var topics: [String]
    package var audit: PositionAudit
    package var files: [File] = []
    /// What was found to be missing while it was read.
    package var remarks: [String] = []
    package var partitionCount = 0

    package init(topics: [String], audit: PositionAudit) {
        self.topics = topics
        self.audit = audit
    }

    // MARK: Faults

    private var fileFaults: [String] {
        self.files.flatMap { file in
            file.findings.sorted { $0.key < $1.key }.flatMap { topic, found in
                Self.faults(of: found, in: topic).map { "\(file.name): \($0)" }
            }
        }
    }

    private static func faults(of found: FileAudit.Findings, in topic: String) -> [String] {
        guard !found.isUnsettled else { return [] }
        var faults: [String] = []
        func add(_ count: Int64, _ what: String, _ first: LinePosition?) {
            guard count > 0 else { return }
            let place = first.map { ", the first at \($0.offset)" } ?? ""
            faults.append("\(what) topic \(topic): \(Quantity.grouped(count)) records\(place)")
        }
        add(found.missing, "missing in", found.firstMissing)
        add(found.repeated, "more than once in", found.firstRepeated)
        add(found.unexpected, "not what the pipeline makes, in", found.firstUnexpected)
        return faults
    }

    /// Whether nothing speaks against the topics, and something for them.
    package var isProven: Bool { self.isClean && self.hasMarks }

    private var isClean: Bool { self.audit.isClean && self.fileFaults.isEmpty }

    private var hasMarks: Bool { !self.audit.streams.isEmpty }

    package var status: ExitStatus { self.isProven ? .success : .dataError }

    // MARK: What cannot be said

    package var notChecked: [String] {
        var reasons: [String] = []
        if self.audit.unmarked > 0 {
            let count = Quantity.grouped(self.audit.unmarked)
            reasons.append("\(count) records have no position: they are not Forktail's, or older")
        }
        for id in self.audit.cut.sorted(by: { ($0.topic, $0.partition) < ($1.topic, $1.partition) })
        {
            reasons.append("the beginning of \(id) is not there any more, or was not read")
        }
        reasons += self.remarks
        for file in self.files {
            if let reason = file.notChecked { reasons.append("\(file.name): \(reason)") }
            for (topic, found) in file.findings.sorted(by: { $0.key < $1.key }) {
                if found.isUnsettled {
                    reasons.append(
                        "\(file.name): single records in topic \(topic): its number of partitions"
                            + " changed, or keys do not decide there"
                    )
                } else if found.unread > 0 {
                    reasons.append(
                        "\(file.name): \(Quantity.grouped(found.unread)) records for topic \(topic)"
                            + " before the first that is there: reading may have begun behind them"
                    )
                } else if found.tooOld > 0 {
                    let count = Quantity.grouped(found.tooOld)
                    reasons.append(
                        "\(file.name): \(count) records that topic \(topic) may have forgotten"
                    )
                }
            }
        }
        return reasons
    }

    // MARK: For people

    package var text: String {
        var lines: [String] = []
        for fault in self.audit.faults {
            let file = fault.stream.map { " \(self.name(of: $0))," } ?? ""
            lines.append("\(fault.kind.rawValue)  \(fault.partition)\(file) \(fault.text)")
        }
        let more = self.audit.faultCounts.values.reduce(0, +) - Int64(self.audit.faults.count)
        if more > 0 { lines.append("… and \(Quantity.grouped(more)) more") }
        lines += self.fileFaults
        lines += self.notChecked.map { "not checked: \($0)" }
        lines.append(self.verdict)
        return lines.joined(separator: "\n") + "\n"
    }

    private func name(of stream: FileStream) -> String {
        self.files.first { $0.stream == stream }?.name ?? "file \(stream)"
    }

    private var verdict: String {
        let records = Quantity.grouped(self.audit.records)
        let where_ =
            "\(records) records of \(self.files.count) files in \(self.partitionCount)"
            + " partitions of \(self.topics.joined(separator: ", "))"
            + (self.cluster.map { " in \($0)" } ?? "")
        guard self.hasMarks else { return "nothing proven: no record says where it comes from" }
        guard self.isClean else { return "faults found: \(where_)" }
        let proven = self.files.count { !$0.findings.isEmpty }
        let complete =
            proven == self.files.count
            ? "no gap, no repeat, right order"
            : proven == 0 ? "right order, no run repeated" : "right order; \(proven) files complete"
        return "\(complete): \(where_)"
    }

    // MARK: For programs

    package var json: String {
        let faults = self.audit.faults.map { fault in
            var fields = [
                "\"kind\":\"\(fault.kind.rawValue)\"",
                "\"topic\":\(quotedAsJSON(fault.partition.topic))",
                "\"partition\":\(fault.partition.partition)",
                "\"text\":\(quotedAsJSON(fault.text))",
            ]
            if let stream = fault.stream { fields.append("\"file\":\"\(stream)\"") }
            return "{" + fields.joined(separator: ",") + "}"
        }
        let counts = PositionAudit.Fault.Kind.allCases.map { kind in
            "\"\(kind.rawValue)\":\(self.audit.faultCounts[kind] ?? 0)"
        }
        var fields = [
            "\"proven\":\(self.isProven)",
            "\"topics\":[\(self.topics.map(quotedAsJSON).joined(separator: ","))]",
            "\"partitions\":\(self.partitionCount)",
            "\"records\":\(self.audit.records)",
            "\"batches\":\(self.audit.batches)",
            "\"without_position\":\(self.audit.unmarked)",
            "\"fault_counts\":{\(counts.joined(separator: ","))}",
            "\"faults\":[\(faults.joined(separator: ","))]",
            "\"files\":[\(self.files.map(Self.json).joined(separator: ","))]",
            "\"not_checked\":[\(self.notChecked.map(quotedAsJSON).joined(separator: ","))]",
        ]
        if let cluster { fields.append("\"cluster\":\(quotedAsJSON(cluster))") }
        return "{" + fields.joined(separator: ",") + "}\n"
    }

    private static func json(_ file: File) -> String {
        let topics = file.findings.sorted { $0.key < $1.key }.map { topic, found in
            "\(quotedAsJSON(topic)):{\"expected\":\(found.expected),\"missing\":\(found.missing),"
                + "\"repeated\":\(found.repeated),\"unexpected\":\(found.unexpected),"
                + "\"too_old\":\(found.tooOld),\"unread\":\(found.unread),\"settled\":\(!found.isUnsettled)}"
        }
        var fields = [
            "\"file\":\"\(file.stream)\"", "\"records\":\(file.records)",
            "\"topics\":{\(topics.joined(separator: ","))}",
        ]
        if let path = file.path { fields.append("\"path\":\(quotedAsJSON(path))") }
        return "{" + fields.joined(separator: ",") + "}"
    }
}
