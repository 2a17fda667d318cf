internal import Checkpointing
internal import FileTailing
internal import Logging
internal import Synchronization

/// The thread that watches directories and hands files to lanes.
final class WatcherThread: Sendable {
    private struct State {
        var isStopping = false
        var isRunning = false
        var assignedFiles: Int?
        var unreadablePaths: Set<String> = []
        var unregisteredPaths: Set<String> = []
    }

    private let fleet: Fleet
    private let startPosition: StartPosition?
    private let endsAtEndOfFile: Bool
    private let state = Mutex(State())
    private let wakeUp: WakePipe

    init(fleet: Fleet, start: StartPosition?, endsAtEndOfFile: Bool) throws {
        self.fleet = fleet
        startPosition = start
        self.endsAtEndOfFile = endsAtEndOfFile
        wakeUp = try WakePipe()
    }

    /// - Throws: `ServiceError` when the files cannot be watched at all.
    func start() throws {
        let plan = try WatcherWorker.Plan(fleet.surroundings, start: startPosition)
        fleet.surroundings.news.onNews { [wakeUp] in wakeUp.wake() }
        state.withLock { $0.isRunning = true }
        try startThread(name: "watcher") { [self] in run(plan) }
    }

    /// How many files lanes were given; nil until all that were there at the start are among them.
    var assignedFiles: Int? { state.withLock { $0.assignedFiles } }

    /// Files and directories that are in the globs and cannot be read.
    var unreadablePaths: Set<String> { state.withLock { $0.unreadablePaths } }

    /// Files that are not read because their checkpoints cannot be kept.
    var unregisteredPaths: Set<String> { state.withLock { $0.unregisteredPaths } }

    /// Stops watching; returns when no further file can be handed out.
    func stop() {
        state.withLock { $0.isStopping = true }
        wakeUp.wake()
        while state.withLock({ $0.isRunning }) {
            waitForInput([], until: .now + .milliseconds(1), now: .now)
        }
    }

    private func run(_ plan: WatcherWorker.Plan) {
        let lanes = fleet.lanes
        var worker = WatcherWorker(
            plan,
            fleet.surroundings,
            lanes: lanes.count,
            endsAtEndOfFile: endsAtEndOfFile,
            post: { lane, message in lanes[lane].post(message) }
        )
        while !state.withLock({ $0.isStopping }) {
            worker.advance(now: .now)
            publish(worker)
            sleep(worker)
        }
        state.withLock { $0.isRunning = false }
    }

    private func publish(_ worker: WatcherWorker) {
        state.withLock {
            $0.assignedFiles = worker.isWaiting ? nil : worker.assignedFiles
            $0.unreadablePaths = worker.unreadablePaths
            $0.unregisteredPaths = worker.unregisteredPaths
        }
    }

    private func sleep(_ worker: WatcherWorker) {
        var descriptors = [wakeUp.descriptor]
        if worker.descriptor >= 0 { descriptors.append(worker.descriptor) }
        waitForInput(descriptors, until: worker.nextDeadline, now: .now)
        wakeUp.drain()
    }
}
