internal import KafkaProtocol

extension BrokerStateMachine {
    func mayUse(
        _ resource: Denial.Resource,
        to operation: Denial.Operation,
        _ connection: ConnectionID
    ) -> Bool {
        guard !self.configuration.denials.isEmpty else { return true }
        let user = self.connections[connection]?.login.identity?.user
        return !self.configuration.denials.contains {
            $0.operation == operation && $0.resource == resource && $0.concerns(user)
        }
    }

    func mayUse(
        topic: String,
        to operation: Denial.Operation,
        _ connection: ConnectionID
    ) -> Bool {
        self.mayUse(.topic(topic), to: operation, connection)
    }

    /// What the client may do with a topic, as Kafka tells it: a bit for each of the operations.
    func authorizedOperations(onTopic topic: String, _ connection: ConnectionID) -> Int32 {
        Denial.Operation.allCases.reduce(Self.topicOperations) { operations, operation in
            self.mayUse(topic: topic, to: operation, connection)
                ? operations : operations & ~(1 << operation.code)
        }
    }

    // Of Kafka's AclOperation: CREATE 5, DELETE 6, ALTER 7, CLUSTER_ACTION 9, DESCRIBE_CONFIGS 10,
    // ALTER_CONFIGS 11 and IDEMPOTENT_WRITE 12, besides those that can be denied.
    private static let topicOperations = bits([3, 4, 5, 6, 7, 8, 10, 11])
    static let clusterOperations = bits([5, 7, 8, 9, 10, 11, 12])

    private static func bits(_ operations: [Int32]) -> Int32 {
        operations.reduce(0) { $0 | 1 << $1 }
    }
}

extension Denial.Operation {
    /// The number of Kafka's AclOperation.
    fileprivate var code: Int32 {
        switch self {
        case .read: 3
        case .write: 4
        case .describe: 8
        }
    }
}
