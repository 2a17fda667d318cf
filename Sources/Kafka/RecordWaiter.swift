/// Who is told what became of a record.
enum RecordWaiter: Sendable {
    typealias Answer = Result<RecordMetadata, KafkaProducerError>

    case completion(KafkaProducer.Completion)
    /// One for many records: each is told by its number, counted from the record with `firstID`.
    case each(KafkaProducer.NumberedCompletion, firstID: Int64)
    /// A task; nil tells it that its record was not taken, for it has to wait.
    case task(UnsafeContinuation<Answer?, Never>)

    /// Tells what became of the record with an ID.
    func tell(_ answer: Answer, id: @autoclosure () -> Int64) {
        switch self {
        case .completion(let completion): completion(answer)
        case .each(let completion, let firstID): completion(Int(id() - firstID), answer)
        // Safe: each record that is taken is answered once.
        case .task(let continuation): continuation.resume(returning: answer)
        }
    }

    /// What is the same for two that tell the same one in the same way; nil for who waits for one
    /// record alone.
    @inline(__always)
    var identity: Identity? {
        switch self {
        case .completion(let completion): Identity(completion)
        case .each(let completion, let firstID): Identity(completion, firstID)
        case .task: nil
        }
    }

    /// A closure's code and what it captured.
    ///
    /// As long as one closure lives, another with the same code and the same captured object is the
    /// same closure.
    struct Identity: Equatable {
        // Not generic: a closure that is a generic argument is wrapped into another one for that.
        private struct One { let call: KafkaProducer.Completion }
        private struct Each { let call: KafkaProducer.NumberedCompletion }

        private let code: UInt
        private let context: UInt
        private let firstID: Int64

        // Safe: a closure is two words, the addresses of its code and of what it captured.

        @inline(__always)
        fileprivate init(_ completion: @escaping KafkaProducer.Completion) {
            (self.code, self.context) = unsafeBitCast(One(call: completion), to: (UInt, UInt).self)
            self.firstID = .min
        }

        @inline(__always)
        fileprivate init(_ completion: @escaping KafkaProducer.NumberedCompletion, _ firstID: Int64)
        {
            (self.code, self.context) = unsafeBitCast(Each(call: completion), to: (UInt, UInt).self)
            self.firstID = firstID
        }
    }
}
