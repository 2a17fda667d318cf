internal import Checkpointing
internal import Kafka
internal import Logging
internal import Synchronization

/// A thread that owns files: it reads, frames, processes and batches, and nothing of it is shared.
///
/// Other threads speak to it through its inbox only.
final class Lane: LaneFace {
    private let mailbox: Mailbox<LaneMessage>
    private let published = Mutex(LaneReport())

    init() throws {
        mailbox = try Mailbox()
    }

    /// Starts the thread.
    func start(_ surroundings: LaneSurroundings, engine: ProducerEngine, number: Int) throws {
        try mailbox.startThread(name: "lane \(number)") { [self] in
            engine.addListener(self)
            run(LaneWorker(listener: self, surroundings: surroundings))
            engine.removeListener(self)
        }
    }

    private func run(_ worker: LaneWorker) {
        while !worker.isDone {
            let isBusy = worker.step(mailbox.take().messages, now: .now)
            if isBusy || worker.isDone { continue }
            publish(worker.currentReport())
            mailbox.sleep(until: worker.nextDeadline)
        }
        worker.end(now: .now)
        publish(worker.currentReport())
    }

    var isRunning: Bool { mailbox.isRunning }

    var report: LaneReport { published.withLock { $0 } }

    /// Appends to the inbox and wakes the thread if it sleeps.
    func post(_ message: LaneMessage) { mailbox.post(message) }

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
