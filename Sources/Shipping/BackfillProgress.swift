internal import PipelineLanguage

/// How far a backfill is, by what Kafka has acknowledged, and how it looks.
///
/// 100 % means delivered, not read.
package struct BackfillProgress: Sendable {
    /// What all lanes together report at one moment.
    package struct Snapshot: Sendable {
        package var acknowledgedBytes: Int64 = 0
        package var totalBytes: Int64 = 0
        package var filesDone = 0
        package var fileCount = 0
        package var currentFile = ""
        package var recordsSent: Int64 = 0
        package var recordsDropped: Int64 = 0
        package var recordsFailed: Int64 = 0
        package var limit = "disk"
        package var kafka = ""

        package init() {}
    }

    private static let window = Duration.seconds(30)

    private let cluster: String?
    private let pipeline: String
    private let job: String
    private var samples: [(time: ContinuousClock.Instant, bytes: Int64)] = []
    private(set) var latest = Snapshot()

    /// - Parameter cluster: the name of one that is not the process's own.
    package init(cluster: String? = nil, pipeline: String, job: String) {
        self.cluster = cluster
        self.pipeline = pipeline
        self.job = job
    }

    package mutating func record(_ snapshot: Snapshot, now: ContinuousClock.Instant) {
        latest = snapshot
        samples.append((now, snapshot.acknowledgedBytes))
        while samples.count > 2, samples[0].time < now - Self.window { samples.removeFirst() }
    }

    /// Acknowledged input bytes a second over the last half minute.
    package var bytesPerSecond: Int64 {
        guard let first = samples.first, let last = samples.last, last.time > first.time else {
            return 0
        }
        let seconds = (last.time - first.time) / .seconds(1)
        return Int64(Double(last.bytes - first.bytes) / seconds)
    }

    package var secondsLeft: Int64? {
        let rate = bytesPerSecond
        guard rate > 0 else { return nil }
        return max(0, latest.totalBytes - latest.acknowledgedBytes) / rate
    }

    /// Hundredths of the work, rounded down; 100 only when all is acknowledged.
    package var percent: Int {
        guard latest.totalBytes > 0 else { return 100 }
        return Int(Double(latest.acknowledgedBytes) / Double(latest.totalBytes) * 100)
    }

    // MARK: For a terminal

    /// The lines to draw, each within `width` columns.
    package func bar(width: Int, color: Bool) -> [String] {
        let left = secondsLeft.map { Quantity.clock(seconds: $0) + " left" } ?? ""
        let figures =
            "\(percent) %   \(Quantity.bytes(latest.acknowledgedBytes)) / "
            + "\(Quantity.bytes(latest.totalBytes))   \(Quantity.bytes(bytesPerSecond))/s   \(left)"
        let cells = max(10, min(30, width - figures.count - 4))
        let full = cells * min(100, percent) / 100
        let track =
            String(repeating: "━", count: full) + String(repeating: "╌", count: cells - full)
        let failed = "failed \(Quantity.grouped(latest.recordsFailed))"
        let failure = color && latest.recordsFailed > 0 ? "\u{1B}[31m\(failed)\u{1B}[0m" : failed
        return [
            " \(track)  \(figures)",
            " sent \(Quantity.grouped(latest.recordsSent))   "
                + "dropped \(Quantity.grouped(latest.recordsDropped))   \(failure)   "
                + "files \(latest.filesDone)/\(latest.fileCount)   \(latest.currentFile.printable)",
            " kafka \(latest.kafka)   limit: \(latest.limit)",
        ]
    }

    // MARK: For everything else

    package var logfmt: String {
        fields.map { "\($0.name)=\($0.value)" }.joined(separator: " ") + "\n"
    }

    package var json: String {
        "{" + fields.map { "\"\($0.name)\":\($0.value)" }.joined(separator: ",") + "}\n"
    }

    private var fields: [(name: String, value: String)] {
        [("event", quotedAsJSON("backfill.progress"))]
            + (cluster.map { [("cluster", quotedAsJSON($0))] } ?? []) + [
                ("pipeline", quotedAsJSON(pipeline)),
                ("job", quotedAsJSON(job)),
                ("bytes_acked", "\(latest.acknowledgedBytes)"),
                ("bytes_total", "\(latest.totalBytes)"),
                ("records_sent", "\(latest.recordsSent)"),
                ("records_dropped", "\(latest.recordsDropped)"),
                ("failed", "\(latest.recordsFailed)"),
                ("rate_bytes", "\(bytesPerSecond)"),
                ("eta_s", secondsLeft.map { "\($0)" } ?? "null"),
                ("limit", quotedAsJSON(latest.limit)),
            ]
    }
}

/// How a backfill shows its progress.
package enum ProgressStyle: String, CaseIterable, Sendable {
    case auto, bar, plain, json, none
}

/// Where to begin in files that have no checkpoint.
package enum StartPosition: String, CaseIterable, Sendable {
    case beginning, end
}

/// How many failed records a backfill accepts: a count, or hundredths of what it read.
package enum ErrorAllowance: Sendable, Equatable {
    case count(Int64)
    case percent(Double)

    package init?(text: String) {
        if text.hasSuffix("%") {
            guard let value = Double(text.dropLast()), (0...100).contains(value) else { return nil }
            self = .percent(value)
        } else {
            guard let value = Int64(text), value >= 0 else { return nil }
            self = .count(value)
        }
    }

    package func accepts(failed: Int64, of read: Int64) -> Bool {
        switch self {
        case .count(let most): failed <= most
        case .percent(let most): Double(failed) <= Double(read) * most / 100
        }
    }
}
