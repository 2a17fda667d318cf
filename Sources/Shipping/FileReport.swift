internal import Checkpointing
internal import FileTailing
internal import Synchronization

/// How one file stands, for people and for metrics.
package struct FileReport: Sendable, Equatable {
    package enum State: String, Sendable, CaseIterable {
        /// There are bytes to read, or records on their way.
        case reading
        /// Everything that is there is settled.
        case idle
        /// Not read yet: it must not change for a while, or another file comes first.
        case waiting
        /// Left its globs or lost its name; held until it is over.
        case rotated
        /// Its bytes became others; where they are is being looked for.
        case rewritten
        /// A person has to mend something.
        case stopped
    }

    package var pipeline: String
    package var path: String
    package var state: State
    /// Bytes in the file.
    package var size: Int64
    /// Bytes that are settled.
    package var settled: Int64
    /// How long the oldest byte that is not settled has been known to be there.
    package var age: Duration

    /// Bytes that are not settled.
    package var lag: Int64 { max(0, size - settled) }
}

/// What lanes say of their files when they are asked.
final class FileReportBox: Sendable {
    private struct State: Sendable {
        var reports: [FileReport] = []
        var missing: Int
    }

    private let state: Mutex<State>

    init(lanes: Int) {
        state = Mutex(State(missing: lanes))
    }

    func append(_ reports: [FileReport]) {
        state.withLock { state in
            state.reports += reports
            state.missing -= 1
        }
    }

    /// All reports, when every lane has answered.
    var reports: [FileReport]? { state.withLock { $0.missing == 0 ? $0.reports : nil } }
}

extension LaneWorker {
    func fileReports(now: ContinuousClock.Instant) -> [FileReport] {
        sources.values.map { source in
            FileReport(
                pipeline: surroundings.pipelines[source.pipelineIndex].name,
                path: source.row.path,
                state: source.state,
                size: source.currentSize,
                settled: source.row.checkpoint.offset,
                age: source.unsettledSince.map { now - $0 } ?? .zero
            )
        }
    }
}

extension LaneSource {
    fileprivate var currentSize: Int64 {
        let size = file?.isCompressed == true ? nil : try? file?.status().size
        return max(size ?? tail.size, row.checkpoint.offset)
    }

    fileprivate var state: FileReport.State {
        if isStopped { return .stopped }
        if tail.isRewritten { return .rewritten }
        if tail.isLeaving { return .rotated }
        if after != nil || tail.isSettling { return .waiting }
        return tail.isCaughtUp && frontier.isEmpty ? .idle : .reading
    }
}
