internal import Checkpointing
internal import Kafka
internal import Logging
internal import Synchronization

/// A thread that owns files: it reads, frames, processes and batches, and nothing of it is shared.
///
/// Other threads speak to it through its inbox only.
final class Lane: LaneFace {
    private struct Inbox {
        var messages: [LaneMessage] = []
        var isSleeping = false
    }

    private let inbox = Mutex(Inbox())
    private let published = Mutex(LaneReport())
    private let running = Mutex(true)
    let wakeUp: WakePipe

    init() throws {
        wakeUp = try WakePipe()
    }

    /// Starts the thread.
    func start(_ surroundings: LaneSurroundings, engine: ProducerEngine, number: Int) throws {
        try startThread(name: "lane \(number)") { [self] in
            engine.addListener(self)
            run(LaneWorker(listener: self, surroundings: surroundings))
            engine.removeListener(self)
            running.withLock { $0 = false }
        }
    }

    private func run(_ worker: LaneWorker) {
        while !worker.isDone {
            let isBusy = worker.step(takeMessages(), now: .now)
            if isBusy || worker.isDone { continue }
            publish(worker.currentReport())
            sleep(until: worker.nextDeadline)
        }
        worker.end(now: .now)
        publish(worker.currentReport())
    }

    var isRunning: Bool { running.withLock { $0 } }

    var report: LaneReport { published.withLock { $0 } }

    /// Appends to the inbox and wakes the thread if it sleeps.
    func post(_ message: LaneMessage) {
        let mustWake = inbox.withLock { inbox in
            inbox.messages.append(message)
            defer { inbox.isSleeping = false }
            return inbox.isSleeping
        }
        if mustWake { wakeUp.wake() }
    }

    // MARK: For the lane's own thread

    private func takeMessages() -> [LaneMessage] {
        inbox.withLock { inbox in
            if inbox.messages.isEmpty { return [] }
            return exchange(&inbox.messages, with: [])
        }
    }

    /// Sleeps until a message comes or the deadline has passed.
    private func sleep(until deadline: ContinuousClock.Instant?) {
        let mustSleep = inbox.withLock { inbox in
            inbox.isSleeping = inbox.messages.isEmpty
            return inbox.isSleeping
        }
        guard mustSleep else { return }
        waitForInput([wakeUp.descriptor], until: deadline, now: .now)
        inbox.withLock { $0.isSleeping = false }
        wakeUp.drain()
    }

    private func publish(_ report: LaneReport) {
        published.withLock { $0 = report }
    }

    // MARK: LaneFace

    func memoryReturned() {
        post(.memoryReturned)
    }

    func recovered(_ file: Int) {
        post(.recovered(file))
    }

    func deliver(_ deliveries: [Delivery]) {
        post(.delivered(deliveries))
    }

    func metadataChanged(_ metadata: TopicMetadata) {
        post(.metadataChanged(metadata))
    }
}
