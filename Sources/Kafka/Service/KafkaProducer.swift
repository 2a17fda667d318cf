public import CoreMetrics
public import Logging
public import ServiceLifecycle

/// Sends records to Kafka, each once and in order, for as long as it takes.
///
/// ```swift
/// let producer = KafkaProducer(configuration: .init(bootstrapServers: ["broker1:9092"]))
/// async let running: Void = producer.run()
/// let record = KafkaProducerRecord(topic: "orders", key: "42", value: "…")
/// let metadata = try await producer.send(record)
/// ```
///
/// In a `ServiceGroup` a graceful shutdown sends what was taken before it ends; cancelling the task
/// of ``run()`` fails it instead.
public final class KafkaProducer: Service, Sendable {
    /// Called once with what became of a record, on the producer's own thread.
    public typealias Completion = @Sendable (Result<RecordMetadata, KafkaProducerError>) -> Void

    let setUp: Result<RecordQueue, KafkaProducerError>
    private let configuration: KafkaProducerConfiguration
    private let metricsFactory: (any MetricsFactory)?

    /// Makes a producer; a configuration that cannot work is thrown by ``run()`` and ``send(_:)``.
    ///
    /// - Parameters:
    ///   - configuration: Where the cluster is, and what is promised.
    ///   - logger: Told of connections, and of trouble when it begins and ends.
    ///   - metricsFactory: Where the metrics go every five seconds while it runs; nil for what
    ///     `MetricsSystem` was bootstrapped with when ``run()`` is called, and nowhere without that.
    ///   - partitioner: Chooses partitions where the record names none; nil for Kafka's own rule.
    public init(
        configuration: KafkaProducerConfiguration,
        logger: Logger = Logger(label: "kafka.producer"),
        metricsFactory: (any MetricsFactory)? = nil,
        partitioner: (any KafkaPartitioner)? = nil
    ) {
        self.configuration = configuration
        self.metricsFactory = metricsFactory
        do throws(KafkaProducerError) {
            let queue = try RecordQueue(
                configuration: configuration,
                partitioner: partitioner,
                logger: logger
            )
            self.setUp = .success(queue)
        } catch {
            self.setUp = .failure(error)
        }
    }

    /// Keeps the producer going until it is shut down or cancelled.
    public func run() async throws {
        let queue = try self.setUp.get()
        queue.engine.start()
        let publisher = MetricsPublisher.to(self.metricsFactory)
        if let publisher { queue.engine.publishMetrics(by: publisher) }
        defer { publisher?.close() }
        do {
            try await gracefulShutdown()
        } catch {
            await queue.close(drain: false)
            return
        }
        await withTaskCancellationHandler {
            await queue.close(drain: true)
        } onCancel: {
            Task { await queue.close(drain: false) }
        }
    }

    /// Sends a record and waits until it is acknowledged.
    ///
    /// While `buffer.memory` is spent it waits for room as well, in the order of calls. Cancelling the
    /// task takes a record back that waits for room or for word of its topic, and throws
    /// ``KafkaProducerError/cancelled``; one that is under way is waited for.
    public func send(_ record: KafkaProducerRecord) async throws(KafkaProducerError)
        -> RecordMetadata
    {
        let queue = try self.setUp.get()
        let ticket = RecordQueue.Ticket()
        let result: Result<RecordMetadata, KafkaProducerError> =
            await withTaskCancellationHandler {
                await withUnsafeContinuation { continuation in
                    // Safe: each record that is enqueued is answered once.
                    queue.enqueue(record, mayWait: true, ticket: ticket) {
                        continuation.resume(returning: $0)
                    }
                }
            } onCancel: {
                queue.withdraw(ticket, topic: record.topic)
            }
        return try result.get()
    }

    /// Takes a record to be sent, and calls back when it is acknowledged or has failed.
    ///
    /// Records that nobody waits for are bounded by `buffer.memory`: beyond it they fail at once
    /// with ``KafkaProducerError/bufferExhausted``.
    public func enqueue(
        _ record: KafkaProducerRecord,
        onCompletion: @escaping Completion = { _ in }
    ) {
        switch self.setUp {
        case .success(let queue):
            queue.enqueue(record, mayWait: false, completion: onCompletion)
        case .failure(let error): onCompletion(.failure(error))
        }
    }

    /// What was measured, up to a second ago, under the names of Kafka's own producer.
    ///
    /// Reading costs some microseconds for each broker and topic. Empty for a configuration that
    /// cannot work.
    public var metrics: KafkaProducerMetrics {
        switch self.setUp {
        case .success(let queue): queue.engine.metrics(now: .now)
        case .failure: KafkaProducerMetrics(clientID: self.configuration.clientID, values: [])
        }
    }

    /// Drops what was taken and not sent yet; each such record fails with ``KafkaProducerError/purged``.
    ///
    /// - Parameter includingInFlight: Drops what was sent and not acknowledged as well, which may be
    ///   in the log nevertheless.
    public func purge(includingInFlight: Bool = false) {
        guard case .success(let queue) = self.setUp else { return }
        queue.purge(inFlight: includingInFlight)
    }

    /// Waits until every record that was taken before is acknowledged or has failed.
    public func flush() async {
        guard case .success(let queue) = self.setUp else { return }
        let start = ContinuousClock.now
        await queue.flush()
        queue.engine.note(ContinuousClock.now - start, in: .flush)
    }
}
