internal import PipelineLanguage

/// The balance of a backfill: what was read is what was sent, dropped or failed.
package struct BackfillSummary {
    /// The name of a cluster that is not the process's own.
    let cluster: String?
    let pipeline: String
    let job: String
    let ledger: Ledger
    let seconds: Int64
    /// How many files an earlier run of the job had shipped, when it had shipped all of them.
    let finishedBefore: Int?

    package init(
        cluster: String? = nil,
        pipeline: String,
        job: String,
        ledger: Ledger,
        seconds: Int64,
        finishedBefore: Int? = nil
    ) {
        self.cluster = cluster
        self.pipeline = pipeline
        self.job = job
        self.ledger = ledger
        self.seconds = seconds
        self.finishedBefore = finishedBefore
    }

    /// Whether there was nothing to do, as opposed to nothing to find.
    private var isRepeat: Bool { finishedBefore != nil && ledger.read == 0 }

    package func isWithin(_ allowance: ErrorAllowance) -> Bool {
        allowance.accepts(failed: ledger.failedCount, of: ledger.read)
    }

    package func text(interrupted: Bool) -> String {
        if let finishedBefore, isRepeat { return repeatText(files: finishedBefore) }
        let outcome = interrupted ? "stopped after" : "done in"
        var lines = [
            "\(outcome) \(Quantity.clock(seconds: seconds)) · "
                + "\(Quantity.grouped(ledger.read)) records read = \(balance)"
        ]
        for (reason, count) in ledger.dropped.sorted(by: { $0.key < $1.key }) {
            lines.append("  dropped   \"\(reason)\" \(Quantity.grouped(count))")
        }
        for (failure, count) in ledger.failures.sorted(by: { $0.value > $1.value }).prefix(20) {
            lines.append("  failed    \(failure.summary)  \(Quantity.grouped(count))")
        }
        if ledger.linesCut > 0 { lines.append("  cut       \(Quantity.grouped(ledger.linesCut))") }
        let topics = ledger.topics.sorted { $0.key < $1.key }
        if !topics.isEmpty {
            let counts = topics.prefix(50).map { "\($0.key) \(Quantity.grouped($0.value))" }
            lines.append("  topics    " + counts.joined(separator: " · "))
        }
        return lines.map { $0.printable + "\n" }.joined()
    }

    private func repeatText(files: Int) -> String {
        let them = files == 1 ? "its file is" : "all its \(files) files are"
        return
            "job \"\(job.printable)\" was finished before: \(them) shipped, nothing was left to do\n"
            + "  to ship again: --restart, or another name with --job\n"
    }

    private var balance: String {
        let parts: [(Int64, String)] = [
            (ledger.acknowledgedSent, "sent"),
            (ledger.droppedCount, "dropped"),
            (ledger.acknowledgedDeadLetters, "dead-lettered"),
            (ledger.failed(.skipped), "skipped"),
            (ledger.failed(.stopped), "stopped"),
            (ledger.unacknowledged, "unacknowledged"),
        ]
        let shown = parts.filter { $0.0 > 0 || $0.1 == "sent" }
        return shown.map { "\(Quantity.grouped($0.0)) \($0.1)" }.joined(separator: " + ")
    }

    package var json: String {
        let topics = object(ledger.topics)
        let dropped = object(ledger.dropped)
        var fields = [
            "\"event\":\"backfill.done\"",
            "\"pipeline\":\(quotedAsJSON(pipeline))",
            "\"job\":\(quotedAsJSON(job))",
            "\"seconds\":\(seconds)",
            "\"read\":\(ledger.read)",
            "\"sent\":\(ledger.acknowledgedSent)",
            "\"dropped\":\(dropped)",
            "\"dead_lettered\":\(ledger.acknowledgedDeadLetters)",
            "\"skipped\":\(ledger.failed(.skipped))",
            "\"stopped\":\(ledger.failed(.stopped))",
            "\"unacknowledged\":\(ledger.unacknowledged)",
            "\"topics\":\(topics)",
            "\"finished_before\":\(isRepeat)",
        ]
        if let cluster { fields.insert("\"cluster\":\(quotedAsJSON(cluster))", at: 1) }
        return "{" + fields.joined(separator: ",") + "}\n"
    }

    private func object(_ counts: [String: Int64]) -> String {
        let members = counts.sorted { $0.key < $1.key }.map {
            "\(quotedAsJSON($0.key)):\($0.value)"
        }
        return "{" + members.joined(separator: ",") + "}"
    }
}
