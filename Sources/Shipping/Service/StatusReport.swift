internal import Checkpointing
internal import PipelineLanguage

/// How the service of a state directory stands, read beside it: for each cluster that it sends to.
package struct StatusReport {
    private let clusters: [(name: String?, status: ClusterStatus)]

    /// - Throws: `ServiceError` (66 when there is no database, 73 when it cannot be trusted).
    package init(stateDirectory: String) throws {
        clusters = try StateDirectories.all(in: stateDirectory).map { cluster, path in
            (cluster, try ClusterStatus(stateDirectory: path))
        }
    }

    /// 0 for a service that does what it should, 1 for one that does not do all of it yet, 2 for one
    /// that does not run, or cannot send to a partition.
    ///
    /// A cluster to which the service does not send any more counts for nothing.
    package var status: ExitStatus {
        let running = clusters.map(\.status).filter(\.isRunning)
        let all = running.isEmpty ? clusters.map(\.status) : running
        return all.map(\.status).max { $0.rawValue < $1.rawValue } ?? .success
    }

    package var text: String {
        clusters.map { name, status in
            name.map { "\nkafka \($0)\n" + status.text } ?? status.text
        }.joined()
    }

    /// The process's own cluster, with the others under `clusters`.
    package var json: String {
        var fields = clusters.first { $0.name == nil }?.status.fields ?? []
        let others = clusters.compactMap { name, status in
            name.map { "\(quotedAsJSON($0)):{\(status.fields.joined(separator: ","))}" }
        }
        if !others.isEmpty { fields.append("\"clusters\":{\(others.joined(separator: ","))}") }
        return "{" + fields.joined(separator: ",") + "}\n"
    }
}

/// How that stands which is sent to one cluster.
private struct ClusterStatus {
    /// Batches and the records in them.
    fileprivate struct Amount {
        var batches = 0
        var records: Int64 = 0

        init(_ batches: some Sequence<JournaledBatch>) {
            for batch in batches {
                self.batches += 1
                records += Int64(batch.recordCount)
            }
        }
    }

    private let directory: String
    private let owner: StateDirectoryOwner?
    private let liveFiles: Int
    private let session: JournalSession?
    /// Of the session, if there is somebody to wait for their answers.
    private let inFlight: Amount
    /// Of earlier ones: it has to be found out what became of them.
    private let open: Amount
    private let delivered: Amount
    /// A commit that was asked for, and of which the answer is not known.
    private let pending: PendingCheckpoints?
    private let recovery: RecoveryStanding

    /// - Throws: `ServiceError` (66 when there is no database, 73 when it cannot be trusted).
    init(stateDirectory: String) throws {
        directory = stateDirectory
        owner = StateDirectoryOwner(of: stateDirectory)
        let isRunning = owner?.isRunning ?? false
        recovery = RecoveryStanding(lines: owner?.details ?? [])
        do throws(CheckpointError) {
            let store = try CheckpointStore.open(readOnly: stateDirectory + "/checkpoints.db")
            liveFiles = try store.allFiles().count { $0.state == .live }
            let journal = try store.journal()
            session = journal.session
            let unsettled = journal.batches.filter { !$0.isSettled }
            let own = isRunning ? journal.session?.producerID : nil
            inFlight = Amount(unsettled.filter { $0.producerID == own })
            open = Amount(unsettled.filter { $0.producerID != own })
            delivered = Amount(journal.batches.filter(\.isSettled))
            pending = try store.pending().first
        } catch {
            throw ServiceError(error.kind == .missing ? .noInput : .cannotCreate, error.message)
        }
    }

    /// 0 for a service that does what it should, 1 for one that does not do all of it yet, 2 for one
    /// that does not run, or cannot send to a partition.
    var status: ExitStatus { recovery.status(isRunning: isRunning) }

    var isRunning: Bool { owner?.isRunning ?? false }

    private var health: String {
        switch status {
        case .success: "healthy"
        case .degraded: "degraded"
        default: "stopped"
        }
    }

    private var service: String {
        guard let owner else { return "never ran" }
        return owner.isRunning ? "running, process \(owner.processID)" : "not running"
    }

    /// As it is, or was in the last run.
    private var delivery: String {
        guard let owner, !owner.description.isEmpty else { return "not known" }
        return owner.description
    }

    var text: String {
        var lines = [
            ("state", directory.printable), ("service", service), ("health", health),
            ("delivery", delivery),
            ("files", "\(liveFiles) being read"),
        ]
        if let session {
            lines.append(("cluster", session.clusterID.printable))
            let identity = "\(session.producerID), epoch \(session.epoch)"
            lines.append(("producer id", identity))
        }
        if inFlight.batches > 0 { lines.append(("on their way", inFlight.text)) }
        if open.batches > 0 { lines.append(("left by a crash", open.text)) }
        if delivered.batches > 0 { lines.append(("delivered beyond", delivered.text)) }
        if let pending {
            let text = "of \(pending.transactionalID.printable), for \(pending.files.count) files"
            lines.append(("being committed", text))
        }
        lines += recovery.entries
        return lines.map { name, value in
            name + String(repeating: " ", count: 18 - name.count) + value + "\n"
        }.joined()
    }

    /// Members of a JSON object.
    var fields: [String] {
        var fields = [
            "\"state_dir\":\(quotedAsJSON(directory))",
            "\"is_running\":\(owner?.isRunning ?? false)",
            "\"process\":\(owner.map { "\($0.processID)" } ?? "null")",
            "\"health\":\(quotedAsJSON(health))",
            "\"delivery\":\(quotedAsJSON(delivery))",
            "\"live_files\":\(liveFiles)",
            "\"in_flight\":\(inFlight.json)",
            "\"left_by_a_crash\":\(open.json)",
            "\"delivered_beyond\":\(delivered.json)",
            "\"being_committed\":\(pending.map { quotedAsJSON($0.transactionalID) } ?? "null")",
            "\"recovery\":\(recovery.json)",
        ]
        if let session {
            fields.append("\"cluster\":\(quotedAsJSON(session.clusterID))")
            fields.append("\"producer_id\":\(session.producerID)")
            fields.append("\"epoch\":\(session.epoch)")
        }
        return fields
    }
}

extension ClusterStatus.Amount {
    fileprivate var text: String { "\(records) records in \(batches) batches" }
    fileprivate var json: String { "{\"batches\":\(batches),\"records\":\(records)}" }
}
