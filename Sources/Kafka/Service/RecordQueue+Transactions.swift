internal import NIOCore

extension RecordQueue {
    /// Asks something of the transactions and waits for the result; throws how it failed.
    func perform(
        _ operation: TransactionOperation,
        timeout: Duration?
    ) async throws(KafkaProducerError) {
        let start = ContinuousClock.now
        let error = await withCheckedContinuation { continuation in
            let ticket = TransactionTicket(id: self.engine.makeCallID()) {
                continuation.resume(returning: $0.error)
            }
            if let timeout { self.give(ticket, timeout) }
            self.perform(operation, ticket)
        }
        self.engine.note(ContinuousClock.now - start, in: .transaction(operation))
        if let error { throw error }
        if operation == .begin { self.takesRecords(true) }
    }

    /// Puts offsets into the transaction and waits until the group's coordinator has them.
    func sendOffsets(
        _ offsets: GroupOffsets,
        timeout: Duration?
    ) async throws(KafkaProducerError) {
        let start = ContinuousClock.now
        let error = await withCheckedContinuation { continuation in
            let ticket = TransactionTicket(id: self.engine.makeCallID()) {
                continuation.resume(returning: $0.error)
            }
            if let timeout { self.give(ticket, timeout) }
            if !self.engine.post(.sendOffsets(offsets, ticket)) { ticket.end(.closed) }
        }
        self.engine.note(ContinuousClock.now - start, in: .sendOffsets)
        if let error { throw error }
    }

    private func perform(_ operation: TransactionOperation, _ ticket: TransactionTicket) {
        switch operation {
        case .initialize, .begin, .resume, .restart: self.post(operation, ticket)
        case .commit:
            self.takesRecords(false)
            self.flush { if !ticket.isOver { self.post(operation, ticket) } }
        case .abort:
            self.takesRecords(false)
            self.failUnsent(.transactionAborted)
            self.post(operation, ticket)
        }
    }

    private func post(_ operation: TransactionOperation, _ ticket: TransactionTicket) {
        if !self.engine.post(.begin(operation, ticket)) { ticket.end(.closed) }
    }

    /// Ends the wait for a result after a while; what was asked for goes on.
    private func give(_ ticket: TransactionTicket, _ timeout: Duration) {
        let engine = self.engine
        engine.schedule(at: .now + timeout) {
            ticket.end(.transactionPending)
            _ = engine.post(.abandon(ticket.id))
        }
    }
}
