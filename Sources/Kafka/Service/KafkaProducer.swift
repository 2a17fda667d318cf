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
    /// Called once for each of many records, with its place among them and what became of it, on the
    /// producer's own thread.
    public typealias NumberedCompletion =
        @Sendable (Int, Result<RecordMetadata, KafkaProducerError>) -> Void

    /// Nil for a configuration that cannot work, as ``setUpError`` says.
    private let queue: RecordQueue?
    /// The same, without a reference to be counted for each record; `queue` keeps it.
    private let uncountedQueue: Unmanaged<RecordQueue>?
    private let setUpError: KafkaProducerError?
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
            self.queue = queue
            self.uncountedQueue = .passUnretained(queue)
            self.setUpError = nil
        } catch {
            self.queue = nil
            self.uncountedQueue = nil
            self.setUpError = error
        }
    }

    /// Keeps the producer going until it is shut down or cancelled.
    public func run() async throws {
        let queue = try self.validQueue()
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
        let queue = try self.validQueue()
        let answer = await self.answer(to: record, in: queue)
        return try answer.get()
    }

    private func answer(
        to record: KafkaProducerRecord,
        in queue: RecordQueue
    ) async -> RecordWaiter.Answer {
        // Almost all records go at once: those need neither a ticket nor a handler.
        if !Task.isCancelled {
            let answer = await withUnsafeContinuation { continuation in
                if !queue.append(record, waiter: .task(continuation)) {
                    continuation.resume(returning: nil)
                }
            }
            if let answer { return answer }
        }
        let ticket = RecordQueue.Ticket()
        let answer = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                queue.enqueue(record, mayWait: true, ticket: ticket, waiter: .task(continuation))
            }
        } onCancel: {
            queue.withdraw(ticket)
        }
        return answer ?? .failure(.cancelled)
    }

    /// Sends records in their order, and waits until all are acknowledged or have failed.
    ///
    /// Faster than a task for each: they are taken in lots, and the caller is resumed once. What was
    /// said of waiting and of cancelling for one record holds for each.
    ///
    /// - Returns: What became of each record, in their order.
    /// - Throws: If the configuration cannot work.
    public func send(
        contentsOf records: [KafkaProducerRecord]
    ) async throws(KafkaProducerError) -> [Result<RecordMetadata, KafkaProducerError>] {
        let queue = try self.validQueue()
        guard !records.isEmpty else { return [] }
        let ticket = RecordQueue.Ticket()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let answers = Answers(count: records.count, continuation)
                queue.enqueue(contentsOf: records, mayWait: true, ticket: ticket) {
                    answers.note($1, at: $0)
                }
            }
        } onCancel: {
            queue.withdraw(ticket)
        }
    }

    /// Takes a record to be sent, and calls back when it is acknowledged or has failed.
    ///
    /// Records that nobody waits for are bounded by `buffer.memory`: beyond it they fail at once
    /// with ``KafkaProducerError/bufferExhausted``.
    ///
    /// One completion for many records costs less than one for each.
    public func enqueue(
        _ record: KafkaProducerRecord,
        onCompletion: @escaping Completion = { _ in }
    ) {
        guard let queue = self.uncountedQueue else {
            return onCompletion(.failure(self.failure))
        }
        queue._withUnsafeGuaranteedRef {
            $0.enqueue(record, mayWait: false, waiter: .completion(onCompletion))
        }
    }

    /// Takes records to be sent, in their order, and calls back for each of them with its place in
    /// `records` when it is acknowledged or has failed.
    ///
    /// The same as ``enqueue(_:onCompletion:)`` for one after the other, save that they are taken in
    /// lots under one lock, and have the time of their lot.
    public func enqueue(
        contentsOf records: [KafkaProducerRecord],
        onCompletion: @escaping NumberedCompletion = { _, _ in }
    ) {
        guard let queue = self.queue else {
            for index in records.indices { onCompletion(index, .failure(self.failure)) }
            return
        }
        queue.enqueue(contentsOf: records, mayWait: false, completion: onCompletion)
    }

    /// What was measured, up to a second ago, under the names of Kafka's own producer.
    ///
    /// Reading costs some microseconds for each broker and topic. Empty for a configuration that
    /// cannot work.
    public var metrics: KafkaProducerMetrics {
        self.queue?.engine.metrics(now: .now)
            ?? KafkaProducerMetrics(clientID: self.configuration.clientID, values: [])
    }

    /// Drops what was taken and not sent yet; each such record fails with ``KafkaProducerError/purged``.
    ///
    /// - Parameter includingInFlight: Drops what was sent and not acknowledged as well, which may be
    ///   in the log nevertheless.
    public func purge(includingInFlight: Bool = false) {
        guard let queue = self.queue else { return }
        queue.purge(inFlight: includingInFlight)
    }

    /// Waits until every record that was taken before is acknowledged or has failed.
    public func flush() async {
        guard let queue = self.queue else { return }
        let start = ContinuousClock.now
        await queue.flush()
        queue.engine.note(ContinuousClock.now - start, in: .flush)
    }

    /// The queue, or why there is none.
    func validQueue() throws(KafkaProducerError) -> RecordQueue {
        guard let queue = self.queue else { throw self.failure }
        return queue
    }

    private var failure: KafkaProducerError { self.setUpError ?? .closed }
}
