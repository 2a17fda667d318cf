/// Records that become readable together, or not at all.
///
/// With `transactional.id` set, records are sent in transactions, one after the other:
/// ```swift
/// try await producer.initTransactions()
/// try await producer.withTransaction {
///     _ = try await producer.send(KafkaProducerRecord(topic: "orders", key: "42", value: "paid"))
///     _ = try await producer.send(KafkaProducerRecord(topic: "stock", key: "77", value: "-1"))
/// }
/// ```
/// Consumers with `isolation.level=read_committed` see all of a transaction's records or none.
///
/// Of what can be thrown, ``KafkaProducerError/transactionAbortable(_:)`` leaves the producer well: abort
/// the transaction and begin the next. After ``KafkaProducerError/producerFenced(transactionalID:_:)``,
/// ``KafkaProducerError/transactionOutcomeUnknown(_:)``, ``KafkaProducerError/fatal(_:)`` and
/// ``KafkaProducerError/refused(code:name:message:)`` the producer can only be closed.
extension KafkaProducer {
    /// Takes the `transactional.id` over: who had it before is fenced, and a transaction that it left
    /// open is aborted.
    ///
    /// Once, before the first transaction, while ``run()`` runs.
    ///
    /// - Parameter timeout: How long to wait for the result; nil for as long as it takes. After it
    ///   ``KafkaProducerError/transactionPending`` is thrown, and the call can be made again.
    public func initTransactions(
        timeout: Duration? = nil
    ) async throws(KafkaProducerError) {
        try await self.validQueue().perform(.initialize, timeout: timeout)
    }

    /// Begins a transaction: records can be sent until it is committed or aborted.
    ///
    /// - Throws: ``KafkaProducerError/invalidTransactionState(_:)`` where the last one has not ended.
    public func beginTransaction() async throws(KafkaProducerError) {
        try await self.validQueue().perform(.begin, timeout: nil)
    }

    /// Puts offsets of a consumer group into the transaction: they are stored when it is committed, and
    /// dropped when it is aborted.
    ///
    /// So a program that reads, works and writes does each record's work once for those who read
    /// committed records. The consumer itself must not commit.
    ///
    /// - Parameters:
    ///   - offsets: The next offset to read of each partition.
    ///   - groupMetadata: The group, and which member of it read.
    ///   - timeout: How long to wait for the result; nil for as long as it takes.
    /// - Throws: ``KafkaProducerError/transactionAbortable(_:)`` where the group does not take them.
    public func sendOffsets(
        _ offsets: [KafkaConsumedOffset],
        groupMetadata: KafkaGroupMetadata,
        timeout: Duration? = nil
    ) async throws(KafkaProducerError) {
        let queue = try self.validQueue()
        guard !offsets.isEmpty else { return }
        let offsets = GroupOffsets(group: groupMetadata, offsets: offsets)
        try await queue.sendOffsets(offsets, timeout: timeout)
    }

    /// Commits the transaction, after all its records are acknowledged.
    ///
    /// Returns only if Kafka says that it is committed. A timeout is no answer: the commit goes on, and
    /// the same call made again gives its result. One whose records were not all settled by then has
    /// not begun: it can be called again, or the transaction be aborted.
    ///
    /// - Parameter timeout: How long to wait for the result; nil for as long as it takes.
    /// - Throws: ``KafkaProducerError/transactionAbortable(_:)`` if a record failed: nothing is committed.
    ///   ``KafkaProducerError/transactionPending`` after the timeout.
    ///   ``KafkaProducerError/transactionOutcomeUnknown(_:)`` where it cannot be known any more.
    public func commitTransaction(
        timeout: Duration? = nil
    ) async throws(KafkaProducerError) {
        try await self.validQueue().perform(.commit, timeout: timeout)
    }

    /// Aborts the transaction; records that are not acknowledged fail with
    /// ``KafkaProducerError/transactionAborted``.
    ///
    /// - Parameter timeout: How long to wait for the result; nil for as long as it takes.
    public func abortTransaction(
        timeout: Duration? = nil
    ) async throws(KafkaProducerError) {
        try await self.validQueue().perform(.abort, timeout: timeout)
    }

    /// Runs `body` in a transaction, which is committed when it returns and aborted when it throws.
    ///
    /// A transaction whose records failed is aborted as well, and the reason thrown.
    public func withTransaction<Value>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await self.beginTransaction()
        do {
            let value = try await body()
            try await self.commitTransaction()
            return value
        } catch {
            // What keeps it from being aborted keeps it from being committed too.
            try? await self.abortTransaction()
            throw error
        }
    }
}
