extension KafkaProducerConfiguration {
    /// Sets a property by Kafka's name, as in `linger.ms`.
    ///
    /// Throws ``KafkaProducerError/configuration(_:)`` for a name that is not known, with the
    /// nearest one that is, and for a value that the property cannot have.
    public mutating func set(
        _ property: String,
        to value: String
    ) throws(KafkaProducerError) {
        guard let row = Self.properties.first(where: { $0.name == property }) else {
            throw Self.unknown(property)
        }
        guard let problem = row.set(&self, value) else { return }
        let found = Self.isSecret(property) ? "" : ", not \"\(value)\""
        throw .configuration("\(property) must be \(problem)\(found)")
    }

    /// The names that ``set(_:to:)`` knows.
    public static var propertyNames: [String] { self.properties.map(\.name) }
}

/// One property: its name, and how its text becomes a value (or what the text should have been).
struct ProducerProperty: Sendable {
    let name: String
    let set: @Sendable (inout KafkaProducerConfiguration, String) -> String?
}

extension KafkaProducerConfiguration {
    private static let properties: [ProducerProperty] =
        ownProperties + securityProperties

    private static let ownProperties: [ProducerProperty] = [
        ProducerProperty(name: "bootstrap.servers") { $0.setServers($1) },
        ProducerProperty(name: "client.id") { $0.setClientID($1) },
        ProducerProperty(name: "acks") { $0.setAcknowledgements($1) },
        ProducerProperty(name: "enable.idempotence") { $0.setFlag(\.isIdempotenceEnabled, $1) },
        ProducerProperty(name: "max.in.flight.requests.per.connection") {
            $0.setNumber(\.maxInFlightRequests, $1, in: 1...1_000_000)
        },
        ProducerProperty(name: "delivery.timeout.ms") { $0.setLimit(\.deliveryTimeout, $1) },
        ProducerProperty(name: "max.block.ms") { $0.setLimit(\.maxBlock, $1) },
        ProducerProperty(name: "request.timeout.ms") {
            $0.setDuration(\.requestTimeout, $1, from: 1)
        },
        ProducerProperty(name: "retry.backoff.ms") { $0.setDuration(\.retryBackoff, $1) },
        ProducerProperty(name: "retry.backoff.max.ms") { $0.setDuration(\.retryBackoffMax, $1) },
        ProducerProperty(name: "linger.ms") { $0.setDuration(\.linger, $1) },
        ProducerProperty(name: "batch.size") {
            $0.setNumber(\.batchSize, $1, in: 1024...16_777_216)
        },
        ProducerProperty(name: "buffer.memory") {
            $0.setNumber(\.bufferMemory, $1, in: 65_536...1_099_511_627_776)
        },
        ProducerProperty(name: "max.request.size") {
            $0.setNumber(\.maxRequestSize, $1, in: 1024...1_073_741_824)
        },
        ProducerProperty(name: "compression.type") { $0.setCompression($1) },
        ProducerProperty(name: "compression.gzip.level") {
            $0.setLevel(\.gzipLevel, $1, in: -1...9)
        },
        ProducerProperty(name: "compression.lz4.level") { $0.setLevel(\.lz4Level, $1, in: 1...17) },
        ProducerProperty(name: "compression.zstd.level") {
            $0.setLevel(\.zstdLevel, $1, in: -131_072...22)
        },
        ProducerProperty(name: "partitioner.ignore.keys") {
            $0.setFlag(\.partitionerIgnoresKeys, $1)
        },
        ProducerProperty(name: "partitioner.adaptive.partitioning.enable") {
            $0.setFlag(\.isAdaptivePartitioningEnabled, $1)
        },
        ProducerProperty(name: "metadata.max.age.ms") {
            $0.setDuration(\.metadataMaxAge, $1, from: 100)
        },
        ProducerProperty(name: "metadata.max.idle.ms") {
            $0.setDuration(\.metadataMaxIdle, $1, from: 5000)
        },
        ProducerProperty(name: "metadata.recovery.strategy") { $0.setRecoveryStrategy($1) },
        ProducerProperty(name: "metadata.recovery.rebootstrap.trigger.ms") {
            $0.setDuration(\.rebootstrapTrigger, $1)
        },
        ProducerProperty(name: "allow.auto.create.topics") {
            $0.setFlag(\.allowsAutoCreateTopics, $1)
        },
        ProducerProperty(name: "transactional.id") { $0.setTransactionalID($1) },
        ProducerProperty(name: "transaction.timeout.ms") {
            $0.setDuration(\.transactionTimeout, $1, from: 1)
        },
        ProducerProperty(name: "reconnect.backoff.ms") { $0.setDuration(\.reconnectBackoff, $1) },
        ProducerProperty(name: "reconnect.backoff.max.ms") {
            $0.setDuration(\.reconnectBackoffMax, $1)
        },
        ProducerProperty(name: "socket.connection.setup.timeout.ms") {
            $0.setDuration(\.connectionSetupTimeout, $1, from: 1)
        },
        ProducerProperty(name: "socket.connection.setup.timeout.max.ms") {
            $0.setDuration(\.connectionSetupTimeoutMax, $1, from: 1)
        },
        ProducerProperty(name: "connections.max.idle.ms") {
            $0.setDuration(\.connectionsMaxIdle, $1, from: 1)
        },
        ProducerProperty(name: "send.buffer.bytes") {
            $0.setNumber(\.sendBufferSize, $1, in: -1...1_073_741_824)
        },
        ProducerProperty(name: "receive.buffer.bytes") {
            $0.setNumber(\.receiveBufferSize, $1, in: -1...1_073_741_824)
        },
        ProducerProperty(name: "receive.message.max.bytes") {
            $0.setNumber(\.maxAnswerSize, $1, in: 1000...1_073_741_824)
        },
    ]

    private static func unknown(_ property: String) -> KafkaProducerError {
        if let replacement = self.replacement(for: property) { return .configuration(replacement) }
        let nearest = self.propertyNames
            .map { (name: $0, distance: editDistance(property, $0)) }
            .min { $0.distance < $1.distance }
        guard let nearest, nearest.distance <= max(2, property.utf8.count / 3) else {
            return .configuration("\"\(property)\" is not a producer property")
        }
        return .configuration(
            "\"\(property)\" is not a producer property, did you mean \"\(nearest.name)\"?"
        )
    }

    private mutating func setServers(_ text: String) -> String? {
        let servers = text.split(separator: ",").map { server in
            String(server.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        for server in servers where (try? BrokerAddress(parsing: server)) == nil {
            return "a list of host:port"
        }
        guard !servers.isEmpty else { return "a list of host:port" }
        self.bootstrapServers = servers
        return nil
    }

    private mutating func setClientID(_ text: String) -> String? {
        guard text.utf8.count <= Int(Int16.max) else { return "shorter than 32,768 bytes" }
        self.clientID = text
        return nil
    }

    private mutating func setTransactionalID(_ text: String) -> String? {
        guard !text.isEmpty, text.utf8.count <= Int(Int16.max) else {
            return "a name shorter than 32,768 bytes"
        }
        self.transactionalID = text
        return nil
    }

    private mutating func setAcknowledgements(_ text: String) -> String? {
        switch text {
        case "all", "-1": self.acknowledgements = .all
        case "1": self.acknowledgements = .leader
        case "0": self.acknowledgements = .none
        default: return "all, 1 or 0"
        }
        return nil
    }

    private mutating func setLimit(
        _ property: WritableKeyPath<Self, Duration?>,
        _ text: String
    ) -> String? {
        guard text != "infinite" else {
            self[keyPath: property] = nil
            return nil
        }
        guard let value = Int64(text), (1...Self.longestMilliseconds).contains(value) else {
            return "milliseconds from 1, or \"infinite\""
        }
        self[keyPath: property] = .milliseconds(value)
        return nil
    }

    private mutating func setCompression(_ text: String) -> String? {
        guard let type = CompressionType(rawValue: text) else {
            return CompressionType.allCases.map(\.rawValue).joined(separator: ", ")
        }
        self.compressionType = type
        return nil
    }

    private mutating func setRecoveryStrategy(_ text: String) -> String? {
        guard let strategy = MetadataRecoveryStrategy(rawValue: text) else {
            return "rebootstrap or none"
        }
        self.metadataRecoveryStrategy = strategy
        return nil
    }

    mutating func setFlag(
        _ property: WritableKeyPath<Self, Bool>,
        _ text: String
    ) -> String? {
        guard let value = Bool(text) else { return "true or false" }
        self[keyPath: property] = value
        return nil
    }

    private mutating func setNumber(
        _ property: WritableKeyPath<Self, Int>,
        _ text: String,
        in range: ClosedRange<Int>
    ) -> String? {
        guard let value = Int(text), range.contains(value) else { return Self.expected(range) }
        self[keyPath: property] = value
        return nil
    }

    private mutating func setLevel(
        _ property: WritableKeyPath<Self, Int32?>,
        _ text: String,
        in range: ClosedRange<Int32>
    ) -> String? {
        guard let value = Int32(text), range.contains(value) else { return Self.expected(range) }
        self[keyPath: property] = value
        return nil
    }

    private mutating func setDuration(
        _ property: WritableKeyPath<Self, Duration>,
        _ text: String,
        from minimum: Int64 = 0
    ) -> String? {
        let range = minimum...Self.longestMilliseconds
        guard let value = Int64(text), range.contains(value) else {
            return "milliseconds from \(minimum)"
        }
        self[keyPath: property] = .milliseconds(value)
        return nil
    }

    private static func expected<Number>(_ range: ClosedRange<Number>) -> String {
        "a number from \(range.lowerBound) to \(range.upperBound)"
    }

    private static let longestMilliseconds: Int64 = 2_147_483_647
}

/// How many bytes must be changed, added or left out to turn one name into the other.
private func editDistance(_ first: String, _ second: String) -> Int {
    let columns = Array(second.utf8)
    var previous = Array(0...columns.count)
    for (row, byte) in first.utf8.prefix(128).enumerated() {
        var current = [row + 1]
        for column in columns.indices {
            let change = previous[column] + (columns[column] == byte ? 0 : 1)
            current.append(min(change, previous[column + 1] + 1, current[column] + 1))
        }
        previous = current
    }
    return previous[columns.count]
}
