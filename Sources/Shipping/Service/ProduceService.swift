internal import Glibc
internal import Kafka
package import Logging
internal import Synchronization

/// `forktail produce`: sends lines as records, and says what became of them.
package struct ProduceService {
    package struct Options: Sendable {
        package var topic: String
        package var partition: Int32?
        /// Milliseconds since 1970; nil for the time of sending.
        package var timestamp: Int64?
        package var format: LineFormat
        /// Files in the order in which they are read; none for standard input.
        package var files: [String]
        package var timeout: Duration
        package var showsReceipts: Bool
        package var isQuiet: Bool

        package init(
            topic: String,
            partition: Int32?,
            timestamp: Int64?,
            format: LineFormat,
            files: [String],
            timeout: Duration,
            showsReceipts: Bool,
            isQuiet: Bool
        ) {
            self.topic = topic
            self.partition = partition
            self.timestamp = timestamp
            self.format = format
            self.files = files
            self.timeout = timeout
            self.showsReceipts = showsReceipts
            self.isQuiet = isQuiet
        }
    }

    private let options: Options
    private let engine: ProducerEngine
    private let producing: ProduceThread

    /// Opens the files.
    ///
    /// - Throws: `ServiceError`: 66 when one cannot be opened, 78 for a wrong property.
    package init(settings: ProducerSettings, options: Options, logger: Logger) throws {
        self.options = options
        let names = options.files.isEmpty ? ["-"] : options.files
        let inputs = try names.map(Self.open)
        let configuration = settings.configuration
        let pool = BufferPool(configuration: configuration)
        do {
            engine = try ProducerEngine(configuration: configuration, pool: pool, logger: logger)
        } catch {
            throw ServiceError(.configuration, "\(error)")
        }
        var worker = ProduceWorker.Settings(topic: options.topic)
        worker.partition = options.partition
        worker.timestamp = options.timestamp
        worker.format = options.format
        worker.inputs = names
        worker.timeout = options.timeout
        worker.showsReceipts = options.showsReceipts
        producing = try ProduceThread(
            settings: worker,
            configuration: configuration,
            inputs: inputs,
            engine: engine,
            pool: pool
        )
    }

    /// Sends everything, or what was read until a signal, and waits for the acknowledgements.
    package func run(signals: borrowing Signals) throws -> ExitStatus {
        engine.start()
        try producing.start()
        var interrupts = 0
        while producing.isRunning {
            switch signals.wait(for: .milliseconds(10)) {
            case .stop where interrupts == 0:
                interrupts += 1
                producing.post(.stop)
                announceStop()
            case .stop(isInterrupt: true):
                interrupts += 1
                producing.post(.abort)
            case .report: writeToStandardError(producing.report.summary + "\n")
            case .stop, .hangUp, nil: break
            }
        }
        engine.stop()
        return finish(isAborted: interrupts > 1)
    }

    private func announceStop() {
        guard producing.report.unacknowledged > 0 else { return }
        writeToStandardError("waiting for acknowledgements… (Ctrl-C again to quit now)\n")
    }

    private func finish(isAborted: Bool) -> ExitStatus {
        let report = producing.report
        if let gaveUp = report.gaveUp { writeToStandardError("forktail: \(gaveUp.reason)\n") }
        if !options.isQuiet || report.status != .success {
            writeToStandardError("\(report.summary) · topic \(options.topic)\n")
        }
        return isAborted ? .interrupted : report.status
    }

    private static func open(_ name: String) throws -> CInt {
        guard name != "-" else { return STDIN_FILENO }
        let descriptor = Glibc.open(name, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ServiceError(.noInput, "\(name) cannot be opened: \(systemErrorText(errno))")
        }
        return descriptor
    }
}

/// The thread that reads, and the inbox that others speak to it through.
private final class ProduceThread: DeliveryListener {
    private let settings: ProduceWorker.Settings
    private let configuration: KafkaProducerConfiguration
    private let inputs: [CInt]
    private let engine: ProducerEngine
    private let pool: BufferPool
    private let wakeUp: WakePipe
    private let inbox = Mutex<[ProduceWorker.Message]>([])
    private let published = Mutex(ProduceReport())
    private let running = Mutex(true)

    init(
        settings: ProduceWorker.Settings,
        configuration: KafkaProducerConfiguration,
        inputs: [CInt],
        engine: ProducerEngine,
        pool: BufferPool
    ) throws {
        self.settings = settings
        self.configuration = configuration
        self.inputs = inputs
        self.engine = engine
        self.pool = pool
        wakeUp = try WakePipe()
    }

    func start() throws {
        try startThread(name: "produce") { [self] in
            engine.addListener(self)
            run(makeWorker())
            engine.removeListener(self)
            running.withLock { $0 = false }
        }
    }

    var isRunning: Bool { running.withLock { $0 } }

    var report: ProduceReport { published.withLock { $0 } }

    func post(_ message: ProduceWorker.Message) {
        inbox.withLock { $0.append(message) }
        wakeUp.wake()
    }

    private func makeWorker() -> ProduceWorker {
        ProduceWorker(
            settings: settings,
            configuration: configuration,
            pool: pool,
            listener: self,
            sink: engine,
            onMemory: { [weak self] in self?.post(.memoryReturned) },
            wallClock: wallClockMilliseconds,
            trouble: { [engine] in engine.statistics.lastError }
        )
    }

    // MARK: The loop

    private func run(_ worker: ProduceWorker) {
        worker.start(now: .now)
        while true {
            worker.step(inbox.withLock { exchange(&$0, with: []) }, now: .now)
            publish(worker)
            if worker.isDone { return }
            let input = worker.wantsInput ? [inputs[worker.currentInput]] : []
            let ready = waitForInput(
                input + [wakeUp.descriptor],
                until: worker.nextDeadline,
                now: .now
            )
            wakeUp.drain()
            if let descriptor = input.first, ready.contains(descriptor) { read(descriptor, worker) }
        }
    }

    private func read(_ descriptor: CInt, _ worker: ProduceWorker) {
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { block in
            let count = Glibc.read(descriptor, block.baseAddress, block.count)
            switch count {
            case 0: worker.inputEnded(now: .now)
            case 1...: worker.received(block[..<count], now: .now)
            default:
                guard errno != EINTR, errno != EAGAIN else { return }
                worker.inputFailed(systemErrorText(errno), now: .now)
            }
        }
    }

    private func publish(_ worker: ProduceWorker) {
        let data = worker.takeData()
        do {
            if !data.isEmpty { try writeToStandardOutput(data) }
        } catch {
            worker.outputFailed("\(error)")
        }
        let talk = worker.takeTalk()
        if !talk.isEmpty { writeToStandardError(talk) }
        published.withLock { $0 = worker.report }
    }

    // MARK: DeliveryListener

    func deliver(_ deliveries: [Delivery]) {
        post(.delivered(deliveries))
    }

    func metadataChanged(_ metadata: TopicMetadata) {
        post(.metadataChanged(metadata))
    }
}
