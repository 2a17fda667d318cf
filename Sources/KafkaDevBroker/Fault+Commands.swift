internal import KafkaProtocol

extension Fault {
    /// The faults as commands: what is typed, and what it does.
    package static let commands = """
        leader TOPIC PARTITION NODE   another of its replicas leads it
        hold TOPIC PARTITION          its followers have nothing of what comes
        resume TOPIC PARTITION        they have everything again
        down NODE                     a node goes away, its port closes
        up NODE                       it comes back
        refuse CODE [NTH]             the n-th request with batches is refused
        fail-after CODE [NTH]         it is appended, and refused all the same
        lose [NTH]                    it is appended, the connection closed
        hang-up [NTH]                 the connection is closed before
        swallow [NTH]                 it is appended and never answered
        throttle MS [NTH]             its answer asks the client to be quiet
        stall MS                      no request is answered for a while
        close                         all connections are closed
        forget [older]                producer ids, or all but their last batch
        delay-markers MS              transactions end so much later
        """

    /// Reads a command; nil if it is none.
    package init?(command: String) {
        let words = command.split(separator: " ").map(String.init)
        guard let verb = words.first else { return nil }
        let arguments = Array(words.dropFirst())
        let numbers = arguments.compactMap { Int($0) }
        if verb == "leader" {
            guard arguments.count == 3, let partition = Int32(arguments[1]),
                let node = Int32(arguments[2])
            else { return nil }
            self = .moveLeader(topic: arguments[0], partition: partition, to: node)
        } else if verb == "hold" || verb == "resume" {
            guard arguments.count == 2, let partition = Int32(arguments[1]) else { return nil }
            self =
                verb == "hold"
                ? .holdReplication(topic: arguments[0], partition: partition)
                : .resumeReplication(topic: arguments[0], partition: partition)
        } else if verb == "forget" {
            guard arguments.isEmpty || arguments == ["older"] else { return nil }
            self = .forgetProducers(keepingLastBatch: !arguments.isEmpty)
        } else if numbers.count == arguments.count {
            self.init(verb, numbers)
        } else {
            return nil
        }
    }

    private init?(_ verb: String, _ numbers: [Int]) {
        switch (verb, numbers.count) {
        case ("down", 1): self = .stopNode(Int32(clamping: numbers[0]))
        case ("up", 1): self = .startNode(Int32(clamping: numbers[0]))
        case ("close", 0): self = .closeConnections
        case ("stall", 1): self = .stall(.milliseconds(numbers[0]))
        case ("delay-markers", 1): self = .delayMarkers(.milliseconds(numbers[0]))
        case ("lose", 0...1): self = .loseAnswer(nth: numbers.first ?? 1)
        case ("hang-up", 0...1): self = .closeBeforeAppend(nth: numbers.first ?? 1)
        case ("swallow", 0...1): self = .swallowAnswer(nth: numbers.first ?? 1)
        case ("refuse", 1...2): self = .refuse(Self.error(numbers), nth: Self.nth(numbers))
        case ("fail-after", 1...2):
            self = .failAfterAppend(Self.error(numbers), nth: Self.nth(numbers))
        case ("throttle", 1...2):
            self = .throttle(milliseconds: Int32(clamping: numbers[0]), nth: Self.nth(numbers))
        default: return nil
        }
    }

    private static func error(_ numbers: [Int]) -> KafkaError {
        KafkaError(rawValue: Int16(clamping: numbers[0]))
    }

    private static func nth(_ numbers: [Int]) -> Int {
        numbers.count > 1 ? numbers[1] : 1
    }
}
